package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func newCompact(ui *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compact [flags]",
		Short: "Give back the disk space that the cache doesn't need",
		Long: `Give back the disk space that the cache doesn't need. Of bolt the file is copied, as
small as it can be, and the copy put in its place; others wait meanwhile. In a folder, each
namespace becomes one file; nobody waits. clear and prune do this by themselves.`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := openFiles(ui, cmd)
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
