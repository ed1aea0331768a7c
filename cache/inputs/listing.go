package inputs

import (
	"os"

	"dvlcache/cache/internal/digest"
	"dvlcache/cache/internal/files"
)

func (k *checking) lookListing(i int, o *Observation, path string, id *digest.Identity) string {
	f, err := os.Open(path)
	if err != nil {
		return "can't be listed any more"
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return "can't be listed any more"
	}
	if change := k.compareNames(o, path, k.out().listed(path, names)); change != "" {
		return change
	}
	if k.memory != nil && !id.Racy(k.begun) {
		// It has to be the same folder still, which nobody has changed meanwhile.
		belief, _ := files.FilesystemOf(f)
		if now, _, err := k.o.Digests.Stat(path); err == nil && now == *id && belief == files.BelieveStat {
			k.memory.set(i, id)
		}
	}
	return ""
}

// namesIn returns the names in a folder, in no order.
func namesIn(folder string) ([]string, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// compareNames returns what is different between the names in a folder and those of
// its listing. Names that evaluations of the program made may be there or not: they
// may have been at work when the listing was recorded.
func (k *checking) compareNames(o *Observation, path string, names []string) string {
	had := map[string]int{} // by short hash
	for i := 0; i < len(o.Names); i += nameHash {
		had[o.Names[i:i+nameHash]]++
	}
	real := k.out().resolve(path)
	var sum digest.Digest
	var fresh []string
	for _, n := range names {
		h := hashName(n)
		if short := string(h[:nameHash]); had[short] > 0 {
			had[short]--
			sum = add(sum, h)
		} else if made, ok := k.o.Marks.made(real, short); !ok || made != h {
			fresh = append(fresh, n)
		}
	}
	if len(fresh) > 0 {
		return gained(fresh)
	}
	for short, count := range had {
		made, ok := k.o.Marks.made(real, short)
		if count > 1 || count == 1 && !ok {
			return "lost a name"
		}
		if count == 1 {
			sum = add(sum, made)
		}
	}
	if sum != o.Sum {
		return "has other names"
	}
	return ""
}

// unmade returns the names of a folder that no evaluation of the program made.
func (l *leftOut) unmade(folder string, names []string) []string {
	real := l.resolve(folder)
	kept := make([]string, 0, len(names))
	for _, n := range names {
		h := hashName(n)
		if made, ok := l.marks.made(real, string(h[:nameHash])); !ok || made != h {
			kept = append(kept, n)
		}
	}
	return kept
}
