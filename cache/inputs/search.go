package inputs

import "strings"

// search looks for a program along a PATH, as a shell does. It returns an empty name
// if it is nowhere. What is no absolute folder in PATH is one below dir.
func search(name, path, dir string) string {
	for _, folder := range strings.Split(path, ":") {
		if folder == "" {
			folder = dir
		} else if folder[0] != '/' {
			folder = dir + "/" + folder
		}
		found := strings.TrimRight(folder, "/") + "/" + name
		if st, err := stat(found); err == nil && st.Mode.IsRegular() && executable(found) {
			return found
		}
	}
	return ""
}
