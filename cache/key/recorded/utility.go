// Package recorded reads what records keep of commands: which program it was, and
// whether files are others now.
package recorded

import (
	"cmp"
	"path/filepath"

	"dvlcache/cache/key"
	"dvlcache/cache/key/launch"
)

// Utility is the program whose number it is, as far as the call is recorded: COMMAND,
// or what a launcher starts, by its base name. digest is that of its contents, nil where
// they didn't count; at is its place in Args.
func Utility(c *key.Command) (name string, digest *key.Digest, at int) {
	for i := range c.Parts {
		if p := &c.Parts[i]; p.Kind == key.PartProgram && len(p.Items) > 0 {
			name, digest = filepath.Base(p.Items[0].Text), p.Items[0].Digest
			break
		}
	}
	if len(c.Args) == 0 || !launch.IsLauncher(name) {
		return name, digest, 0
	}
	named, started := map[string]*key.Digest{}, map[string]*key.Digest{} // by base name, since paths may count as less
	for i := range c.Parts {
		p := &c.Parts[i]
		for _, it := range p.Items {
			switch base := filepath.Base(it.Text); {
			case it.Digest == nil:
			case p.Kind == key.PartInterpreter:
				started[base] = it.Digest
			case p.Kind == key.PartArgument && p.Name == "":
				named[base] = it.Digest
			}
		}
	}
	of := func(by map[string]*key.Digest) func(string) bool {
		return func(arg string) bool { return by[filepath.Base(arg)] != nil }
	}
	names, own := launch.Walk(append([]string{name}, c.Args[1:]...), of(named), of(started))
	last := names[len(names)-1]
	for at = own; at > 0; at-- {
		if filepath.Base(c.Args[at]) == last && len(names) > 1 {
			return last, cmp.Or(named[last], started[last]), at
		}
	}
	return name, digest, 0
}
