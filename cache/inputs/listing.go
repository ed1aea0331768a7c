package inputs

import (
	"fmt"
	"io/fs"
	"os"
	"slices"

	"dvlcache/cache/internal/digest"
	"dvlcache/cache/internal/files"
)

func (k *checking) lookListing(i int, o *Observation, path string, id *digest.Identity) string {
	f, err := files.OpenContents(path)
	if err != nil {
		return "can't be listed any more"
	}
	defer f.Close()
	names, err := entriesIn(f)
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

// Entry is a name in a folder.
type Entry struct {
	Name string
	// Type has the type bits of what it is of; fs.ModeIrregular if that isn't known.
	Type fs.FileMode
}

// entriesOf returns what is in a folder, in no order.
func entriesOf(folder string) ([]Entry, error) {
	f, err := files.OpenContents(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return entriesIn(f)
}

func entriesIn(f *os.File) ([]Entry, error) {
	all, err := f.ReadDir(-1)
	list := make([]Entry, len(all))
	for i, e := range all {
		list[i] = Entry{e.Name(), e.Type()}
	}
	return list, err
}

// Of what listed names are, as Kinds has it.
const (
	ofFile    = 'f'
	ofFolder  = 'd'
	ofLink    = 'l'
	ofOther   = 'o'
	ofUnknown = '?'
)

func (e *Entry) kind() byte {
	switch e.Type & fs.ModeType {
	case 0:
		return ofFile
	case fs.ModeDir:
		return ofFolder
	case fs.ModeSymlink:
		return ofLink
	case fs.ModeIrregular:
		return ofUnknown
	}
	return ofOther
}

// called is what a kind is to a person.
func called(kind byte) string {
	switch kind {
	case ofFile:
		return "a file"
	case ofFolder:
		return "a folder"
	case ofLink:
		return "a link"
	}
	return "something else"
}

// compareNames returns what is different between the names in a folder and those of
// its listing. Names that evaluations of the program made may be there or not: they
// may have been at work when the listing was recorded.
func (k *checking) compareNames(o *Observation, path string, names []Entry) string {
	had := map[string]int{}   // by short hash
	were := map[string]byte{} // of what kind
	for i := 0; i < len(o.Names); i += nameHash {
		short := o.Names[i : i+nameHash]
		if had[short]++; o.Kinds != "" {
			were[short] = o.Kinds[i/nameHash]
		}
		if had[short] > 1 {
			were[short] = ofUnknown
		}
	}
	real := k.out().resolve(path)
	var sum digest.Digest
	var fresh []string
	turned := ""
	for _, e := range names {
		n := e.Name
		h := hashName(n)
		if short := string(h[:nameHash]); had[short] > 0 {
			had[short]--
			sum = add(sum, h)
			if now, was := e.kind(), were[short]; was != now && was != 0 && was != ofUnknown && now != ofUnknown {
				if made, ok := k.o.Marks.made(real, short); ok && made == h {
					continue // the program's own doing
				}
				turned = fmt.Sprintf("has %s in the place of %s, %s", called(now), called(was), shown(n))
			}
		} else if made, ok := k.o.Marks.made(real, short); !ok || made != h {
			fresh = append(fresh, n)
		}
	}
	if len(fresh) > 0 {
		slices.Sort(fresh) // a folder has them in any order, and the first is told of
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
	return turned
}

// unmade returns the names of a folder that no evaluation of the program made.
func (l *leftOut) unmade(folder string, names []Entry) []Entry {
	real := l.resolve(folder)
	kept := make([]Entry, 0, len(names))
	for _, e := range names {
		h := hashName(e.Name)
		if made, ok := l.marks.made(real, string(h[:nameHash])); !ok || made != h {
			kept = append(kept, e)
		}
	}
	return kept
}
