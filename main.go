// Dvlcache remembers what utilities, programs that score a model trained on a
// subset of the data, have printed.
package main

import (
	"os"

	"dvlcache/cmd"
)

func main() { os.Exit(cmd.Main(os.Args[1:])) }
