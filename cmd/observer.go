package cmd

import (
	"fmt"
	"os"
	"path/filepath"

	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/config"
	"dvlcache/exec"
	"dvlcache/exec/observe"
)

// placesOf are the folders by which names of files are kept, as they are now.
func placesOf(s *config.Settings, paths key.Paths) (p inputs.Places, err error) {
	if p.Dir, err = os.Getwd(); err != nil {
		return p, err
	}
	p.Home, _ = os.UserHomeDir()
	p.Tmp = os.TempDir()
	p.Project, _ = key.ProjectRoot(p.Dir, s.SafeDirectory)
	// Programs learn of their working directory from the kernel, which knows no links.
	for _, dir := range []*string{&p.Dir, &p.Project} {
		if real, err := filepath.EvalSymlinks(*dir); err == nil && *dir != "" {
			*dir = real
		}
	}
	p.ByProject, p.ByDir = paths == key.PathsProject, paths == key.PathsNone
	return p, nil
}

// observer is what sees what programs read; nil where it doesn't count. Without a trace
// it remembers nothing.
func (o opened) observer(s *config.Settings, q exec.Query, still bool) *observe.Observer {
	if q.Reads == exec.ReadsOff || s.Dir == "" || o.store == nil || foreignDir(s) != nil {
		return nil
	}
	places, err := placesOf(s, q.Paths)
	if err != nil {
		return nil
	}
	cache, err := filepath.Abs(s.Dir)
	if err != nil {
		return nil
	}
	own := []string{cache}
	if s.Folder != "" {
		if folder, err := filepath.Abs(s.Folder); err == nil {
			own = append(own, folder)
		}
	}
	if session, _ := currentSession(); session != "" {
		own = append(own, session)
	}
	return &observe.Observer{
		Options: inputs.Options{
			Places:  places,
			Rules:   inputs.Rules{Untracked: q.Untracked, Own: own},
			Path:    os.Getenv("PATH"),
			Digests: o.digests,
			Marks:   o.marks,
			Memory:  filepath.Join(s.Dir, "checked"),
			Still:   still,
		},
		StdinWaits: stdinWaits,
	}
}

// keepOutputs remembers that a call of a program makes files, since we write them, or what
// our stdout and stderr are: they are no inputs of the next one, which may list their
// folder.
func (o opened) keepOutputs(args []string, names ...string) {
	dir, err := os.Getwd()
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return // no call is watched there
	}
	marks := observe.MarksOf(o.marks, dir, args)
	for fd, f := range []*os.File{1: os.Stdout, 2: os.Stderr} {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			name, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)) // on Linux alone anybody sees
			names = append(names, name)
		}
	}
	for _, name := range names {
		if path, err := filepath.Abs(name); name != "" && err == nil {
			marks.KeepMade(path)
		}
	}
}
