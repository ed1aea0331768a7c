package cmd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dvlcache/cache"
	"dvlcache/config"
)

// namespaces are the names of those that the store has, or that were used before, as
// the statistics know. all says that there are no others: memcached can't tell.
func (o opened) namespaces(ctx context.Context) (names []string, all bool, err error) {
	names = slices.Collect(maps.Keys(o.stats.Namespaces()))
	if l, ok := o.store.(cache.NamespaceLister); ok {
		held, listErr := l.Namespaces(ctx)
		names, all, err = append(names, held...), listErr == nil, listErr
	}
	slices.Sort(names)
	return slices.Compact(names), all, err
}

// checkNamespace returns an error where there is no namespace of this name, nor ever
// was, and the one that may be meant.
func (o opened) checkNamespace(ctx context.Context, name string) (like string, wrong error) {
	names, all, err := o.namespaces(ctx)
	if err != nil || !all || slices.Contains(names, name) {
		return "", nil // what is out of order is told by who goes on
	}
	hint := "'dvlcache stats' lists the namespaces"
	if like = config.Nearest(name, names); like != "" {
		hint = "did you mean " + like + "?"
	} else if len(names) == 0 {
		hint = "the cache is empty"
	}
	return like, usage(fmt.Errorf("there is no namespace %s", name), hint)
}

const (
	// mostOffered is how many values a Tab offers, so that a cache of any size answers
	// at once.
	mostOffered = 100
	// mostPatience is how long a Tab waits for others to let go of the cache.
	mostPatience = 300 * time.Millisecond
)

// offering has shells complete what the cache knows. It writes nothing, and says
// nothing: an error offers nothing.
func offering(values func(ctx context.Context, q offer) []cobra.Completion) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const none = cobra.ShellCompDirectiveNoFileComp
		if len(args) > 0 && !strings.Contains(cmd.Use, "COMMAND") {
			return nil, none // the one KEY is there
		}
		// Flags are parsed twice here, so that a value may be there twice.
		given := map[string][]string{}
		cmd.Flags().Visit(func(f *pflag.Flag) {
			if v, ok := f.Value.(*flagValue); ok {
				given[f.Name] = v.values
			}
		})
		s, _, err := config.Load(given)
		if err != nil {
			return nil, none
		}
		s.LockTimeout = min(s.LockTimeout, mostPatience)
		o, err := openExisting(&terminal{mute: true}, s)
		if err != nil {
			return nil, none
		}
		defer o.close()
		return values(context.Background(), offer{opened: o, namespace: namespaceGiven(cmd, s), begun: toComplete}), none
	}
}

// offer is what values are asked for by.
type offer struct {
	opened
	namespace *string // nil: the line names none
	begun     string  // what stands before the cursor
}

// offerNamespaces offers the names of namespaces.
func offerNamespaces(ctx context.Context, q offer) (offered []cobra.Completion) {
	names, _, _ := q.namespaces(ctx)
	for _, name := range names {
		// A name that breaks the line can't be offered.
		if strings.HasPrefix(name, q.begun) && oneLine(name) == name && len(offered) < mostOffered {
			offered = append(offered, name)
		}
	}
	return offered
}

// offerKeys offers keys, shortened as run -v and list show them, with their commands.
func offerKeys(ctx context.Context, q offer) (offered []cobra.Completion) {
	lister, err := listerOf(q.store)
	if err != nil {
		return nil
	}
	lister.Each(ctx, cache.Range{Namespace: q.namespace, Prefix: q.begun}, func(id cache.ID, e *cache.Entry, _ *cache.RecordError) error {
		if len(offered) == mostOffered {
			return errEnough
		}
		if e != nil {
			key := id.Key.String()[:max(12, len(q.begun))]
			offered = append(offered, cobra.CompletionWithDesc(key, cut(entryCommand(e), 60)))
		}
		return nil
	})
	return offered
}
