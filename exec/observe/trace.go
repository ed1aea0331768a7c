package observe

import (
	"context"
	"io/fs"

	"dvlcache/cache/inputs"
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
			r.Made(f.Name)
			continue
		case watch.State:
			r.State(f.Name, f.By)
			continue
		case watch.Disturbed:
			return set, "", &inputs.ChangedError{Name: f.Name}
		}
		note(r, f)
	}
	for _, s := range trace.Searches {
		r.Search(s.Name, s.By, s.Found)
	}
	set, err = r.Set(ctx)
	return set, "", err
}

// Mark remembers how a watched evaluation, be it one that failed, left its state, and
// what it made.
func (o *Observer) Mark(ctx context.Context, trace *watch.Trace) {
	for i := range trace.Files {
		switch f := &trace.Files[i]; f.Fate {
		case watch.State:
			o.Options.Marks.KeepState(ctx, f.Name)
		case watch.Output:
			o.Options.Marks.KeepMade(f.Name)
			o.Options.Marks.RenewState(ctx, f.Name)
		}
	}
}

// note tells a recorder of a file that is an input.
func note(r *inputs.Recorder, f *watch.File) {
	stamp := inputs.Stamp{Device: f.Stamp.Device, Inode: f.Stamp.Inode, Size: f.Stamp.Size, Mode: fileMode(f.Stamp.Mode)}
	if !f.Stamp.Absent() {
		stamp.Mtime, stamp.Ctime = f.Stamp.Mtime.UnixNano(), f.Stamp.Ctime.UnixNano()
	}
	if f.Use&watch.Followed != 0 {
		r.Link(f.Name, f.By, f.Target)
	}
	switch {
	case f.Use&^(watch.Followed|watch.Written) == 0:
	case f.Stamp.Absent():
		r.Absent(f.Name, f.By)
	case f.Use&watch.Listed != 0:
		r.Listed(f.Name, f.By, stamp, f.Entries)
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
