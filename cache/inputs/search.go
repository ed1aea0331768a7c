package inputs

import "strings"

// search looks for a program along PATH, as a shell does. It returns an empty name if
// it is nowhere. What is no absolute folder in PATH is one below the working directory.
func (o *Options) search(name string) string {
	dir := o.Places.Dir
	for _, folder := range strings.Split(o.Path, ":") {
		if folder == "" {
			folder = dir
		} else if folder[0] != '/' {
			folder = dir + "/" + folder
		}
		found := strings.TrimRight(folder, "/") + "/" + name
		if _, mode, err := o.Digests.Stat(found); err == nil && mode.IsRegular() && mayExecute(found) {
			return found
		}
	}
	return ""
}
