package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			return writeResult(fmt.Sprintf("dvlcache %s %s/%s %s\n", version(), runtime.GOOS, runtime.GOARCH, runtime.Version()), "")
		},
	}
}

// version is that of the build: a tag, or the commit.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "(unknown)"
}
