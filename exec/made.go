package exec

import (
	"errors"
	"slices"
	"strings"

	"dvlcache/cache/key"
	"dvlcache/exec/process"
	"dvlcache/exec/process/watch"
)

// errNotKept is a file that can't be made again.
var errNotKept = errors.New("what its file held is not recorded, for it is large")

// makeFiles makes the files of an evaluation, and returns the arguments with their names.
// finish, to be called with what came of the run, removes them, and takes them out of
// what was seen.
func (m *Memo) makeFiles(args []string, made []key.File) (with []string, finish func(*process.Outcome), err error) {
	if len(made) == 0 {
		return args, func(*process.Outcome) {}, nil
	}
	args = slices.Clone(args)
	var names []string
	finish = func(o *process.Outcome) {
		for _, name := range names {
			m.Made.Remove(name, o.Open || o.Left)
		}
		if dir := m.Made.Dir(); o.Trace != nil && dir != "" {
			o.Trace.Files = slices.DeleteFunc(o.Trace.Files, func(f watch.File) bool {
				rest, ok := strings.CutPrefix(f.Name, dir)
				return ok && (rest == "" || rest[0] == '/')
			})
		}
	}
	for _, f := range made {
		text, ok := f.Text()
		if !ok {
			err = errNotKept
		}
		var name string
		if err == nil {
			name, err = m.Made.Make(text)
		}
		if err != nil {
			finish(&process.Outcome{})
			return nil, nil, err
		}
		names = append(names, name)
		args[f.Arg] = args[f.Arg][:f.At] + name
	}
	return args, finish, nil
}
