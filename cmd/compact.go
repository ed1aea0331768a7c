package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
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
			file, err := openFile(ui, cmd)
			if err != nil {
				return err
			}
			defer file.Close()
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
	addSettings(cmd, fileSettings())
	return cmd
}
