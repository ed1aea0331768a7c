package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/config"
)

func newCompact(ui *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compact [flags]",
		Short: "Give back the disk space that the cache's file doesn't need",
		Long: `Give back the disk space that the cache's file doesn't need: copy it, as small as
it can be, and put the copy in its place. Others wait meanwhile. clear and prune
do this by themselves.`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, _, err := load(cmd)
			if err != nil {
				return err
			}
			o, err := openExisting(ui, s)
			if err != nil {
				return err
			}
			defer o.close()
			file, ok := o.store.(*cache.Bolt)
			if !ok {
				return usage(errors.New("this cache is no file of its own"), "--backend bolt, outside of a session")
			}
			ctx := context.Background()
			before, err := file.Usage(ctx, nil)
			if err != nil {
				return err
			}
			if err := file.Compact(ctx); err != nil {
				return err
			}
			after, err := file.Usage(ctx, nil)
			if err != nil {
				return err
			}
			return writeResult(fmt.Sprintf("%d bytes, %d before\n", after.Bytes, before.Bytes), "")
		},
	}
	addSettings(cmd, config.StoreSettings)
	return cmd
}
