package cmd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/bolt"
	"dvlcache/cache/folder"
	"dvlcache/cache/inputs"
	"dvlcache/cache/key"
	"dvlcache/cache/memcached"
	"dvlcache/cache/share"
	"dvlcache/cache/stats"
	"dvlcache/cache/trust"
	"dvlcache/config"
)

// opened is what a command needs of the cache.
type opened struct {
	store   cache.Store // nil: run without a cache
	stats   *stats.Stats
	digests *key.Digests
	marks   *inputs.Marks
}

func (o opened) close() error {
	o.digests.Close()
	o.marks.Close()
	if o.store == nil {
		return nil
	}
	return o.store.Close()
}

var errNoDir = errors.New("there is no folder for the cache, since neither HOME nor an absolute XDG_CACHE_HOME is set")

// secretVariable holds what signs the entries on a memcached. A flag or a file
// would show it.
const secretVariable = "DVLCACHE_SECRET"

const dirHint = "set DVLCACHE_DIR to a folder"

// openCache opens the cache for a command that runs programs: where there is
// none to be had, the user is told, and the store is nil, unless the settings
// are strict.
func openCache(ui *terminal, s *config.Settings) (opened, error) {
	if s.NoCache {
		return opened{digests: key.NewDigests("")}, nil
	}
	o, err := openExisting(ui, s)
	if err == nil && o.stats != nil {
		// Of a first batch, too, digests are remembered, and where a session or
		// memcached has the entries.
		share.MakeAll(s.Dir)
	}
	var wrong *usageError
	if err == nil || s.Strict || errors.As(err, &wrong) && !errors.Is(err, errNoDir) {
		return o, err
	}
	ui.warn(err.Error()+"; running without the cache", meaningOf(err).hint)
	return opened{digests: key.NewDigests("")}, nil
}

// openExisting opens the cache for a command that is about the cache itself.
func openExisting(ui *terminal, s *config.Settings) (opened, error) {
	return openWith(ui, s, key.NewDigests)
}

// openWith is openExisting with a memory of digests of one's own.
func openWith(ui *terminal, s *config.Settings, digests func(path string) *key.Digests) (opened, error) {
	none := opened{digests: key.NewDigests("")}
	o := none
	notice := func(text string) { ui.warn(text, "") }
	if s.Dir != "" && foreignDir(s) == nil {
		o.digests = digests(filepath.Join(s.Dir, "digests"))
		o.marks = inputs.NewMarks(filepath.Join(s.Dir, "marks"))
		o.stats = stats.New(filepath.Join(s.Dir, "stats"))
		o.stats.Notice = notice
	}
	dir, save := currentSession()
	if dir != "" && endedSession(dir) {
		ui.warn(fmt.Sprintf("%s names %s, where no session of yours is any more; going on with the cache that the settings name", sessionVariable, dir), "unset "+sessionVariable)
		dir = ""
	}
	if dir != "" {
		joinSession(dir)
		o.stats = stats.New(filepath.Join(dir, "stats"))
		session := bolt.NewSession(dir, s.LockTimeout, notice)
		if !save {
			o.store = session
			return o, nil
		}
		base, err := openBase(ui, s)
		if err != nil {
			return none, err
		}
		o.store = cache.NewOverlay(session, base)
		return o, nil
	}
	store, err := openBase(ui, s)
	if err != nil {
		return none, err
	}
	o.store = store
	return o, nil
}

// foreignError is a cache in a folder that isn't to be trusted.
type foreignError struct {
	doubt *trust.Doubt
	hint  string
}

func (e *foreignError) Error() string { return "the cache isn't used, since " + e.doubt.Error() }

// foreignDir says why the cache's folder isn't to be trusted.
func foreignDir(s *config.Settings) *foreignError {
	return foreign(s, s.Dir, s.DirByProject, "DVLCACHE_DIR")
}

// foreignFolder says the same of the one that machines share.
func foreignFolder(s *config.Settings) *foreignError {
	return foreign(s, s.Folder, s.FolderByProject, "DVLCACHE_FOLDER")
}

// foreign says why a folder of entries isn't to be trusted: it is somebody else's, who could
// answer any number; unless our group shares it. Where a project's file names it, nobody else
// may write to it either, nor to a folder on the way. variable is the one that names it.
func foreign(s *config.Settings, dir string, byProject bool, variable string) *foreignError {
	if dir == "" {
		return nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil
	}
	safe := trust.Places(s.SafeDirectory)
	var doubt *trust.Doubt
	switch {
	case byProject:
		if doubt = safe.Folder(dir); doubt == nil {
			doubt = safe.File(dir)
		}
	case !share.Ours(dir):
		doubt = safe.Folder(dir)
	}
	if doubt == nil {
		return nil
	}
	return &foreignError{doubt, "set " + variable + " to a folder of your own, or, if what is there may be trusted, DVLCACHE_SAFE_DIRECTORY=" + dir}
}

// files is a store that is files of its own.
type files interface {
	cache.Store
	cache.Measurer
	// Check looks at all of it, and changes nothing.
	Check(ctx context.Context) (cache.Report, error)
	// Salvage puts what can be read of what is damaged in its place.
	Salvage(ctx context.Context) (cache.Salvaged, error)
	// SetAside lists what was set aside since it is damaged.
	SetAside() []string
	// Compact gives back the disk space that it doesn't need.
	Compact(ctx context.Context) error
}

// openFiles opens the cache for a command that is about its files.
func openFiles(ui *terminal, cmd *cobra.Command) (files, error) {
	s, _, err := load(ui, cmd)
	if err != nil {
		return nil, err
	}
	o, err := openExisting(ui, s)
	if err != nil {
		return nil, err
	}
	o.digests.Close()
	own, ok := o.store.(files)
	if !ok {
		o.store.Close()
		return nil, usage(errors.New("this cache is no file of its own"), "--backend bolt, outside of a session")
	}
	return own, nil
}

// ownFolders are the cache's.
func ownFolders(s *config.Settings) []string {
	if s.Folder == "" {
		return []string{s.Dir}
	}
	return []string{s.Dir, s.Folder}
}

// openBase opens the store that the settings name.
func openBase(ui *terminal, s *config.Settings) (cache.Store, error) {
	switch s.Backend {
	case "memory":
		return cache.NewMemory(), nil
	case "memcached":
		for _, server := range s.Memcached {
			if _, _, err := net.SplitHostPort(server); err != nil && !strings.Contains(server, "/") {
				return nil, usage(fmt.Errorf("memcached: %q is neither HOST:PORT nor the path of a socket", server), "the usual port is 11211")
			}
		}
		c := memcached.Config{Servers: s.Memcached, Secret: []byte(os.Getenv(secretVariable)), TTL: s.TTL}
		if s.MemcachedTLS || s.MemcachedCA != "" || s.MemcachedCert != "" || s.MemcachedKey != "" {
			var err error
			if c.TLS, err = loadTLS(s); err != nil {
				return nil, err
			}
		}
		if s.Dir != "" {
			counters := stats.New(filepath.Join(s.Dir, "stats"))
			c.Count = func(counter stats.Counter) {
				var delta stats.Counts
				delta[counter] = 1
				share.MakeAll(s.Dir)
				counters.Add(s.Namespace, delta)
			}
		}
		return memcached.New(c)
	case "folder":
		if foreign := foreignFolder(s); foreign != nil {
			return nil, foreign
		}
		if info, err := os.Stat(s.Folder); err == nil && !info.IsDir() {
			return nil, fmt.Errorf("%s is not a folder", s.Folder)
		}
		dir, err := filepath.Abs(s.Folder)
		if err != nil {
			return nil, err
		}
		// It would be made on each machine, and shared by none.
		if _, err := os.Stat(filepath.Dir(dir)); errors.Is(err, fs.ErrNotExist) {
			ui.warn(fmt.Sprintf("there is no %s, in which the cache's folder %s is to lie", filepath.Dir(dir), filepath.Base(dir)), "mount the file system that is shared, or make it")
		}
		if share.In(dir).Open {
			ui.warn(fmt.Sprintf("everybody may write to %s, and so answer any number", dir), "chmod o-w "+dir)
		}
		return folder.New(dir), nil
	}
	if s.Dir == "" {
		return nil, usage(errNoDir, dirHint)
	}
	if foreign := foreignDir(s); foreign != nil {
		return nil, foreign
	}
	if info, err := os.Stat(s.Dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", s.Dir)
	}
	return bolt.New(s.Dir, s.LockTimeout, func(text string) { ui.warn(text, "") }), nil
}

func loadTLS(s *config.Settings) (*tls.Config, error) {
	c, err := memcached.LoadTLS(s.MemcachedCA, s.MemcachedCert, s.MemcachedKey)
	if err != nil {
		return nil, usage(err, "see --memcached-ca, --memcached-cert and --memcached-key")
	}
	return c, nil
}
