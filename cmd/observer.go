package cmd

import (
	"os"
	"path/filepath"
	"slices"

	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/config"
	"dvlcache/exec"
	"dvlcache/exec/observe"
)

// observer is what sees what programs read; nil where it doesn't count. Without a trace
// it remembers nothing.
func (o opened) observer(s *config.Settings, q exec.Query, still bool) *observe.Observer {
	if q.Reads == exec.ReadsOff || s.Dir == "" || o.store == nil || foreignDir(s) != nil {
		return nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil
	}
	home, _ := os.UserHomeDir()
	cache, err := filepath.Abs(s.Dir)
	if err != nil {
		return nil
	}
	untracked := q.Untracked
	if session, _ := currentSession(); session != "" {
		untracked = append(slices.Clip(untracked), session)
	}
	project, _ := key.ProjectRoot(dir, s.SafeDirectory)
	return &observe.Observer{
		Options: inputs.Options{
			Places: inputs.Places{
				Home:      home,
				Tmp:       os.TempDir(),
				Project:   project,
				ByProject: q.Paths == key.PathsProject,
				Dir:       dir,
			},
			Rules:   inputs.Rules{Untracked: untracked, Cache: cache},
			Path:    os.Getenv("PATH"),
			Digests: o.digests,
			Marks:   o.marks,
			Memory:  filepath.Join(s.Dir, "checked"),
			Still:   still,
		},
		StdinWaits: stdinWaits,
	}
}
