package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"dvlcache/config"
)

// errDamaged says that a cache is damaged, and what was found is printed.
var errDamaged = errors.New("the cache is damaged")

func newCheck(ui *terminal) *cobra.Command {
	var salvage bool
	cmd := &cobra.Command{
		Use:   "check [flags]",
		Short: "Say whether the cache's file is sound",
		Long: `Say whether the cache's file is sound: its structure and each record's checksum.
With --salvage, what can be read of a file that isn't is put into a fresh one,
and the old one is kept under another name. Ends with status 1 where there is
damage that was not mended.`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := openFile(ui, cmd)
			if err != nil {
				return err
			}
			defer file.Close()
			ctx := context.Background()
			report, err := file.Check(ctx)
			if err != nil {
				return err
			}
			if report.Sound() {
				return writeResult(fmt.Sprintf("sound: %s\n", entries(report.Entries)), "")
			}
			text := ""
			if report.Damage != nil {
				text += fmt.Sprintf("damaged: %v\n", report.Damage)
			}
			const most = 20
			newer := 0
			for i, bad := range report.Bad {
				if bad.Newer {
					newer++
				}
				if i < most {
					text += fmt.Sprintf("bad: %s in namespace %s: %s\n", bad.ID.Key, oneLine(bad.ID.Namespace), bad.Reason)
				}
			}
			if more := len(report.Bad) - most; more > 0 {
				text += fmt.Sprintf("bad: and %d more\n", more)
			}
			text += fmt.Sprintf("%s can be read\n", entries(report.Entries))
			if !salvage || report.Damage == nil && newer == len(report.Bad) {
				return errors.Join(writeResult(text, ""), errDamaged)
			}
			saved, err := file.Salvage(ctx)
			if err != nil {
				return errors.Join(writeResult(text, ""), err)
			}
			for i, lost := range saved.Lost {
				if i == most {
					text += fmt.Sprintf("lost: and %d more\n", len(saved.Lost)-most)
					break
				}
				text += fmt.Sprintf("lost: %s\n", lost)
			}
			return writeResult(text+fmt.Sprintf("salvaged: %s; the old file is kept as %s\n", entries(saved.Entries), filepath.Base(saved.Aside)), "")
		},
	}
	addSettings(cmd, config.StoreSettings)
	cmd.Flags().BoolVar(&salvage, "salvage", false, "put what can be read into a fresh file")
	return cmd
}
