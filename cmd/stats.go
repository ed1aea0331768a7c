package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/config"
)

// statistics is what stats prints, in the order of its table.
type statistics struct {
	Hits         int64   `json:"hits"`
	Misses       int64   `json:"misses"`
	Sets         int64   `json:"sets"`
	Evaluations  int64   `json:"evaluations"`
	Failures     int64   `json:"failures"`
	Waits        int64   `json:"waits"`
	Timeouts     int64   `json:"timeouts"`
	Errors       int64   `json:"errors"`
	Reconnects   int64   `json:"reconnects"`
	SecondsSaved float64 `json:"seconds_saved"`
	SecondsSpent float64 `json:"seconds_spent"`
	Entries      int64   `json:"entries"`
	Bytes        int64   `json:"bytes"`
	// Servers are the memcached servers, which can't list what they hold: Entries
	// is 0 then, and theirs are the items of everybody.
	Servers []server `json:"servers,omitempty"`
}

// server is what a memcached server says of itself, or why it says nothing.
type server struct {
	Address   string `json:"address"`
	Error     string `json:"error,omitempty"`
	Items     string `json:"items,omitempty"`
	Bytes     string `json:"bytes,omitempty"`
	Evictions string `json:"evictions,omitempty"`
	Uptime    string `json:"uptime,omitempty"` // seconds
}

func serverOf(s cache.ServerStats) server {
	if s.Err != nil {
		return server{Address: s.Server, Error: s.Err.Error()}
	}
	return server{s.Server, "", s.Values["curr_items"], s.Values["bytes"], s.Values["evictions"], s.Values["uptime"]}
}

func newStats(ui *terminal) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats [flags]",
		Short: "Print what the cache holds and what it saved",
		Long: `Print what the cache holds and what it saved, over all namespaces, or for the
one that --namespace names. Counters go on from the first use of the cache;
clear does not set them back.`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, _, err := load(cmd)
			if err != nil {
				return err
			}
			var namespace *string
			if cmd.Flags().Changed("namespace") {
				namespace = &s.Namespace
			}
			o, err := openExisting(ui, s)
			if err != nil {
				return err
			}
			defer o.close()
			counts, err := o.stats.Read(namespace)
			if err != nil {
				return err
			}
			var usage cache.Usage
			if m, ok := o.store.(cache.Measurer); ok {
				if usage, err = m.Usage(context.Background(), namespace); err != nil {
					return err
				}
			}
			var servers []cache.ServerStats
			if m, ok := o.store.(*cache.Memcached); ok {
				servers = m.ServerStats(context.Background())
				for _, server := range servers {
					n, _ := strconv.ParseInt(server.Values["bytes"], 10, 64)
					usage.Bytes += n
				}
			}
			table := statistics{
				Hits: counts[cache.Hits], Misses: counts[cache.Misses], Sets: counts[cache.Sets],
				Evaluations: counts[cache.Evaluations], Failures: counts[cache.Failures], Waits: counts[cache.Waits],
				Timeouts: counts[cache.Timeouts], Errors: counts[cache.Errors], Reconnects: counts[cache.Reconnects],
				SecondsSaved: counts.Seconds(cache.NanosSaved), SecondsSpent: counts.Seconds(cache.NanosSpent),
				Entries: usage.Entries, Bytes: usage.Bytes,
			}
			for _, server := range servers {
				table.Servers = append(table.Servers, serverOf(server))
			}
			if asJSON {
				line, err := json.Marshal(table)
				if err != nil {
					return err
				}
				return writeResult(string(line)+"\n", "")
			}
			return writeResult(table.String(), "")
		},
	}
	addSettings(cmd, config.StoreSettings)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func (t statistics) String() string {
	rate := "-"
	if asked := t.Hits + t.Misses; asked > 0 {
		rate = fmt.Sprintf("%.1f %%", 100*float64(t.Hits)/float64(asked))
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range []struct {
		name  string
		value any
	}{
		{"hits", t.Hits}, {"misses", t.Misses}, {"hit rate", rate}, {"sets", t.Sets},
		{"evaluations", t.Evaluations}, {"failures", t.Failures}, {"waits", t.Waits},
		{"timeouts", t.Timeouts}, {"errors", t.Errors}, {"reconnects", t.Reconnects},
		{"time saved", duration(t.SecondsSaved)}, {"time spent", duration(t.SecondsSpent)},
		{"entries", t.Entries}, {"bytes", t.Bytes},
	} {
		fmt.Fprintf(w, "%s\t%v\n", row.name, row.value)
	}
	for _, s := range t.Servers {
		if s.Error != "" {
			fmt.Fprintf(w, "server %s\t%s\n", s.Address, s.Error)
			continue
		}
		fmt.Fprintf(w, "server %s\titems %s, bytes %s, evictions %s, uptime %s s\n", s.Address, s.Items, s.Bytes, s.Evictions, s.Uptime)
	}
	w.Flush()
	if len(t.Servers) > 0 {
		b.WriteString("memcached can't list its entries: items and bytes are of everybody who uses the servers\n")
	}
	return b.String()
}
