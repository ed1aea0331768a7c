package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/bolt"
)

// errDamaged says that a cache is damaged, and what was found is printed.
var errDamaged = errors.New("the cache is damaged")

func newCheck(ui *terminal) *cobra.Command {
	var salvage bool
	cmd := &cobra.Command{
		Use:   "check [flags] [FILE...]",
		Short: "Say whether the cache's files are sound",
		Long: `Say whether the cache's file, or folder, is sound: its structure and each record's
checksum. Ends with status 1 where there is damage that was not mended.

With --salvage, what can be read of a file that isn't sound is put into a fresh
one, and the old one is kept under another name. With FILEs, which were set aside
before, what can be read of them is taken over; what has been cleared since then
may come back by that. Where one of a file's two heads is lost, so may what was
cleared or refreshed by the last change to it: that is said.`,
		Example: `  dvlcache check
  dvlcache check --salvage ~/.cache/dvlcache/cache.db.broken-*`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, files []string) error {
			if len(files) > 0 && !salvage {
				return usage(fmt.Errorf("check looks at the cache's own file, but %s is given", files[0]), "check --salvage takes over what can be read of it; --dir names another cache")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, files []string) error {
			file, err := openFiles(ui, cmd)
			if err != nil {
				return err
			}
			defer file.Close()
			ctx := context.Background()
			for _, name := range files {
				into, ok := file.(*bolt.Store)
				if !ok {
					return usage(errors.New("FILEs are salvaged into bolt alone"), "import takes over what bolt exports")
				}
				saved, err := into.SalvageFrom(ctx, name)
				text := lostText(saved.Lost)
				if err == nil {
					text += fmt.Sprintf("salvaged: %s of %s\n", entries(saved.Entries), name)
				}
				if err := errors.Join(err, writeResult(text, "")); err != nil {
					return err
				}
			}
			if len(files) > 0 {
				return nil
			}
			report, err := file.Check(ctx)
			if err != nil {
				return err
			}
			text := reportText(report, file.SetAside())
			if report.Sound() {
				return writeResult(text, "")
			}
			if !salvage || report.Damage == nil && report.Newer() {
				return errors.Join(writeResult(text, ""), errDamaged)
			}
			saved, err := file.Salvage(ctx)
			if err != nil {
				return errors.Join(writeResult(text, ""), err)
			}
			return writeResult(text+lostText(saved.Lost)+
				fmt.Sprintf("salvaged: %s; %s\n", entries(saved.Entries), keptText(saved.Aside)), "")
		},
	}
	addSettings(cmd, fileSettings())
	cmd.Flags().SetInterspersed(true)
	cmd.Flags().BoolVar(&salvage, "salvage", false, "put what can be read into a fresh file")
	return cmd
}

// mostReported is how many things that are wrong are told one by one.
const mostReported = 20

func reportText(r cache.Report, aside []string) string {
	var b strings.Builder
	if r.Damage != nil {
		fmt.Fprintf(&b, "damaged: %v\n", r.Damage)
	}
	for i, bad := range r.Bad {
		if i == mostReported {
			fmt.Fprintf(&b, "bad: and %d more\n", len(r.Bad)-i)
			break
		}
		fmt.Fprintf(&b, "bad: %s in namespace %s: %s\n", bad.ID.Key, oneLine(bad.ID.Namespace), bad.Reason)
	}
	if r.Sound() {
		fmt.Fprintf(&b, "sound: %s\n", entries(r.Entries))
	} else {
		fmt.Fprintf(&b, "%s can be read\n", entries(r.Entries))
	}
	for _, name := range aside {
		fmt.Fprintf(&b, "set aside: %s\n", name)
	}
	return b.String()
}

// keptText says where files are that were set aside.
func keptText(aside []string) string {
	var names []string
	for _, name := range aside {
		names = append(names, filepath.Base(name))
	}
	switch len(names) {
	case 0:
		return "nothing had to be set aside"
	case 1:
		return "the old file is kept as " + names[0]
	}
	return "the old files are kept as " + strings.Join(names[:min(len(names), mostReported)], ", ")
}

func lostText(lost []string) string {
	var b strings.Builder
	for i, what := range lost {
		if i == mostReported {
			fmt.Fprintf(&b, "lost: and %d more\n", len(lost)-i)
			break
		}
		fmt.Fprintf(&b, "lost: %s\n", what)
	}
	return b.String()
}
