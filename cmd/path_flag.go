package cmd

import "dvlcache/config"

// pathFlag is a flag that names a file or folder. A shell leaves a ~ in --output=~/x.
type pathFlag struct{ path *string }

func (p pathFlag) String() string { return "" }
func (p pathFlag) Type() string   { return "string" }

func (p pathFlag) Set(text string) (err error) {
	*p.path, err = config.ExpandHome(text)
	return err
}
