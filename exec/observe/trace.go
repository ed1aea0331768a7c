package observe

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dvlcache/cache/inputs"
	"dvlcache/cache/key/launch"
	"dvlcache/exec/process/watch"
)

// Set makes a set of what an evaluation was seen to use. unseen says why there is
// none that can be relied on. Its error is a *inputs.ChangedError, or the context's.
func Set(ctx context.Context, options inputs.Options, trace *watch.Trace) (set inputs.Set, unseen string, err error) {
	if len(trace.Unseen) > 0 {
		return set, trace.Unseen[0], nil
	}
	r := inputs.NewRecorder(options)
	for i := range trace.Files {
		f := &trace.Files[i]
		switch f.Fate {
		case watch.Output:
			if leaves(f) {
				r.State(f.Name, f.By)
			} else {
				r.Made(f.Name)
			}
			continue
		case watch.State:
			r.State(f.Name, f.By)
			continue
		}
		note(r, f)
	}
	for _, c := range trace.Connections {
		if host, _, err := net.SplitHostPort(c.Address); err == nil && !net.ParseIP(host).IsLoopback() {
			r.Connected(c.Address, c.By)
		}
	}
	for _, s := range trace.Searches {
		r.Search(s.Name, s.By, s.Found)
	}
	set, err = r.Set(ctx)
	return set, "", err
}

// LeaveOut takes a folder, and what lies in it, out of a trace; either may be missing.
func LeaveOut(trace *watch.Trace, folder string) {
	if trace == nil || folder == "" {
		return
	}
	trace.Files = slices.DeleteFunc(trace.Files, func(f watch.File) bool {
		return f.Name == folder || strings.HasPrefix(f.Name, folder+"/")
	})
}

// Mark remembers how a watched evaluation, be it one that failed, left its state, and
// what it made.
func (o *Observer) Mark(ctx context.Context, args []string, trace *watch.Trace) {
	marks := MarksOf(o.Options.Marks, o.Options.Places.Dir, args)
	for i := range trace.Files {
		if f := &trace.Files[i]; f.Fate == watch.Output {
			marks.KeepMade(f.Name)
		}
	}
	for i := range trace.Files {
		switch f := &trace.Files[i]; f.Fate {
		case watch.State:
			marks.KeepState(ctx, f.Name)
		case watch.Output:
			if leaves(f) {
				marks.KeepState(ctx, f.Name)
			} else {
				marks.RenewState(ctx, f.Name)
			}
		}
	}
}

// leaves reports whether an output is a state from then on: a file that was looked for in
// vain before it was made, as by [ -f model ] || pretrain. One that somebody else puts
// there would be used.
func leaves(f *watch.File) bool {
	if f.Use&(watch.Looked|watch.Opened) == 0 || !f.Stamp.Absent() {
		return false
	}
	info, err := os.Lstat(f.Name)
	return err == nil && info.Mode().IsRegular()
}

// note tells a recorder of a file that is an input.
func note(r *inputs.Recorder, f *watch.File) {
	stamp := inputs.Stamp{Device: f.Stamp.Device, Inode: f.Stamp.Inode, Size: f.Stamp.Size, Mode: fileMode(f.Stamp.Mode)}
	if !f.Stamp.Absent() {
		stamp.Mtime = f.Stamp.Mtime.UnixNano()
	}
	if !f.Stamp.Ctime.IsZero() {
		stamp.Ctime = f.Stamp.Ctime.UnixNano()
	}
	if f.Use&watch.Followed != 0 {
		r.Link(f.Name, f.By, f.Target)
	}
	switch {
	case f.Use&^(watch.Followed|watch.Written) == 0:
	case f.Stamp.Absent():
		r.Absent(f.Name, f.By)
	case f.Use&watch.Listed != 0:
		entries := make([]inputs.Entry, len(f.Entries))
		for i, e := range f.Entries {
			entries[i] = inputs.Entry(e)
		}
		r.Listed(f.Name, f.By, stamp, entries)
	case f.Use&(watch.Opened|watch.Executed) != 0:
		r.Opened(f.Name, f.By, stamp)
	default:
		r.Looked(f.Name, f.By, stamp)
	}
}

// fileMode is st_mode as Go has it.
func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	switch mode & 0o170000 {
	case 0o040000:
		m |= fs.ModeDir
	case 0o120000:
		m |= fs.ModeSymlink
	}
	return m
}

// MarksOf are the marks as evaluations of a command's program have them, be it started
// by a launcher. What one program makes, another may list: so scripts of one name in two
// folders are two programs. A program's subcommands are tasks of their own, and so are the
// texts of sh -c but for the numbers in them, which may be the subset. dir is the working
// directory.
func MarksOf(m *inputs.Marks, dir string, args []string) *inputs.Marks {
	program, own := launch.ProgramNames(args), launch.Own(args)
	name, task := args[own], ""
	switch {
	case own > 0 && (args[own-1] == "-m" || args[own-1] == "--module"):
		program = append(program, name)
	case own > 0 && launch.IsText(args[own-1]):
		task = withoutNumbers(name)
	default:
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			program[len(program)-1] = name
		}
	}
	if own+1 < len(args) && isSubcommand(args[own+1]) {
		task += "\x00" + args[own+1]
	}
	return m.For(strings.Join(program, "\x00"), task)
}

// withoutNumbers is a text with 0 in the place of each number and each list of some.
func withoutNumbers(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] < '0' || text[i] > '9' {
			b.WriteByte(text[i])
			continue
		}
		b.WriteByte('0')
		for i+1 < len(text) && strings.IndexByte("0123456789., ", text[i+1]) >= 0 {
			i++
		}
	}
	return b.String()
}

// isSubcommand reports whether an argument behind a program may name what it is to do.
func isSubcommand(arg string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return arg != "" && strings.IndexByte(letters, arg[0]) >= 0 && strings.Trim(arg, letters+"-_") == ""
}
