package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"dvlcache/cache"
	"dvlcache/cache/stats"
	"dvlcache/config"
	"dvlcache/exec/process"
)

// The variables by which the dvlcaches below a session know of it.
const (
	sessionVariable = "DVLCACHE_SESSION"      // its folder
	saveVariable    = "DVLCACHE_SESSION_SAVE" // set: it is over the store that it saves to
)

// currentSession returns the folder of the session that we are in, or "".
func currentSession() (dir string, save bool) {
	return os.Getenv(sessionVariable), os.Getenv(saveVariable) != ""
}

func newSession(ui *terminal) *cobra.Command {
	var save bool
	var resume string
	cmd := &cobra.Command{
		Use:   "session [flags] -- COMMAND [ARG...]",
		Short: "Run a script or make; all dvlcaches below share one memory cache",
		Long: `Run a script or make; every dvlcache below it shares one cache in memory, which
ends with it. With --save it begins with what the settings' cache holds, and
what is new is merged into that at the end. Where that fails, what is new is kept,
and --resume goes on with it.`,
		Example: `  dvlcache session -- make -j8
  dvlcache session --save -- ./shapley.sh`,
		DisableFlagsInUseLine: true,
		Args:                  commandAfterDash,
		RunE: func(cmd *cobra.Command, args []string) error {
			// What is in force here is handed on by the environment, so
			// that a flag of ours counts below.
			os.Unsetenv(sessionVariable)
			os.Unsetenv(saveVariable)
			s, origins, err := load(ui, cmd)
			if err != nil {
				return err
			}
			save = save || resume != ""
			if save && s.Backend == "memory" {
				return usage(errors.New("--save has nowhere to save to: the backend is memory"), "--backend bolt, or --memcached HOST:PORT")
			}
			return runSession(ui, s, origins, args, save, resume)
		},
	}
	addSettings(cmd, config.StoreSettings)
	cmd.Flags().BoolVar(&save, "save", false, "merge what is new into the cache at the end")
	cmd.Flags().StringVar(&resume, "resume", "", "go on with the session kept in `FOLDER`, which could not be saved, and save it")
	return cmd
}

func runSession(ui *terminal, s *config.Settings, origins []config.Origin, args []string, save bool, resume string) (err error) {
	path, err := process.LookPath(args[0])
	if err != nil {
		return err
	}
	begin := makeSession
	if resume != "" {
		begin = func() (string, func(), error) { return resumeSession(resume) }
	}
	dir, end, err := begin()
	if err != nil {
		return fmt.Errorf("the session has no folder: %w", err)
	}
	defer func() { end() }()
	env := append(os.Environ(), sessionVariable+"="+dir)
	if save {
		env = append(env, saveVariable+"=1")
	}
	for _, o := range origins {
		if !strings.HasPrefix(o.From, "flag ") {
			continue
		}
		value := o.Value
		if o.Setting.IsPath() { // COMMAND may go elsewhere
			if value, err = filepath.Abs(value); err != nil {
				return err
			}
		}
		env = append(env, o.Setting.Variable()+"="+value)
	}
	// Until the session is saved, no signal ends us.
	signals := make(chan os.Signal, 16)
	notify(signals, passedOn...)
	defer signal.Stop(signals)
	err = runBelow(path, args, env, signals)
	counters := stats.New(filepath.Join(dir, "stats"))
	counts, _ := counters.Read(nil)
	if save {
		os.Setenv(sessionVariable, dir)
		os.Setenv(saveVariable, "1")
		if saveErr := saveSession(ui, s, counters, resume != ""); saveErr != nil {
			text, hint := fmt.Sprintf("the session could not be saved: %v", saveErr), meaningOf(saveErr).hint
			empty := isEmptySession(dir)
			if kept, ok := keepSession(dir); ok {
				end = func() {}
				text += "; what is new is kept in " + kept
				hint = fmt.Sprintf("%sdvlcache session --resume %s -- true saves it, once the cache is in order", settingsGiven(origins), kept)
			}
			ui.message(text, hint)
			// COMMAND's own error is the one to end with. And a cache that was
			// out of order all the time has left nothing to save, and COMMAND
			// did without it.
			if err == nil && (s.Strict || !empty) {
				err = &toldError{saveErr}
			}
		}
	}
	ui.message(fmt.Sprintf("session: %s, %s, %s saved", plural(counts[stats.Hits], "hit"), plural(counts[stats.Misses], "miss"),
		duration(counts.Seconds(stats.NanosSaved))), "")
	return err
}

// settingsGiven are the settings that flags gave, as they stand before a command
// for a shell.
func settingsGiven(origins []config.Origin) string {
	var b strings.Builder
	for _, o := range origins {
		if strings.HasPrefix(o.From, "flag ") {
			b.WriteString(o.Setting.Variable() + "=" + wordsText([]string{o.Value}) + " ")
		}
	}
	return b.String()
}

// saveSession merges what is new into the store below the session, and its
// counts into those there. What a session that is resumed can't save is not lost
// by that: it may be another store's.
func saveSession(ui *terminal, s *config.Settings, counters *stats.Stats, resumed bool) error {
	o, err := openExisting(ui, s)
	if err != nil {
		return err
	}
	defer o.close()
	overlay, ok := o.store.(*cache.Overlay)
	if !ok {
		panic("a session that saves has no store to save to")
	}
	if _, err := os.Stat(filepath.Join(os.Getenv(sessionVariable), "alive")); err != nil {
		return errors.New("its folder is gone")
	}
	_, refused, err := overlay.Save(context.Background())
	if err != nil {
		return err
	}
	if refused > 0 && resumed {
		return fmt.Errorf("%s not of this cache, or it was cleared since", entries(refused))
	}
	if refused > 0 {
		ui.message(fmt.Sprintf("%s of the session not saved: the cache was cleared meanwhile, or is not the one that they were evaluated for", entries(refused)), "")
	}
	if s.Dir != "" {
		counters.AddTo(stats.New(filepath.Join(s.Dir, "stats")))
	}
	return nil
}

// runBelow runs the command in our own group, since it may want the terminal.
// What the terminal sends reaches it as it does us; what is sent to us alone is
// passed on. Its errors are as those of a program that run runs.
func runBelow(path string, args, env []string, signals <-chan os.Signal) error {
	c := &osexec.Cmd{Path: path, Args: args, Env: env, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if err := c.Start(); err != nil {
		return &process.StartError{Command: args[0], Err: err}
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		select {
		case s := <-signals:
			if !fromTerminal(s) {
				c.Process.Signal(s)
			}
		case <-ended:
			err := process.ExitErrorOf(args[0], c.ProcessState)
			var exit *process.ExitError
			if errors.As(err, &exit) && exit.Signal != 0 {
				return &signalError{exit.Signal} // so that a shell above us sees it, too
			}
			return err
		}
	}
}

const (
	sessionPrefix = "dvlcache-session-"
	keptPrefix    = "dvlcache-unsaved-"
)

// isEmptySession reports whether nothing was stored in a session whose folder is
// there still.
func isEmptySession(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "alive"))
	_, none := os.Stat(filepath.Join(dir, "cache.db"))
	return err == nil && errors.Is(none, fs.ErrNotExist)
}

// keepSession gives a session's folder a name under which no other session
// clears it away.
func keepSession(dir string) (kept string, ok bool) {
	kept = filepath.Join(filepath.Dir(dir), keptPrefix+strings.TrimPrefix(strings.TrimPrefix(filepath.Base(dir), sessionPrefix), keptPrefix))
	if _, err := os.Stat(filepath.Join(dir, "cache.db")); err != nil {
		return "", false // there is nothing new
	}
	if kept == dir {
		return dir, true
	}
	if os.Rename(dir, kept) != nil {
		return dir, true // and may not last beyond the next session
	}
	return kept, true
}

// resumeSession takes a folder that keepSession has kept.
func resumeSession(dir string) (abs string, end func(), err error) {
	if abs, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	alive := filepath.Join(abs, "alive")
	// It is removed at the end, so it has to be one of ours.
	ours := strings.HasPrefix(filepath.Base(abs), keptPrefix) || strings.HasPrefix(filepath.Base(abs), sessionPrefix)
	if info, err := os.Lstat(alive); err != nil || !info.Mode().IsRegular() || !ours {
		return "", nil, usage(fmt.Errorf("%s is not the folder of a session", dir), "")
	}
	l := flock.New(alive)
	if ok, err := l.TryLock(); err != nil {
		return "", nil, err
	} else if !ok {
		return "", nil, usage(fmt.Errorf("%s is in use", dir), "")
	}
	return abs, func() {
		os.RemoveAll(abs)
		l.Unlock()
	}, nil
}

// makeSession makes a folder for a session, in memory where the system has such
// a place, and removes those of sessions that were killed. end removes it.
func makeSession() (dir string, end func(), err error) {
	root := os.TempDir()
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		root = "/dev/shm"
	}
	prefix := fmt.Sprintf("%s%d-", sessionPrefix, os.Getuid())
	left, _ := filepath.Glob(filepath.Join(root, prefix+"*"))
	for _, old := range left {
		// Who lives holds the lock of its folder. What isn't as we make
		// it is somebody else's business.
		alive, err := os.Lstat(filepath.Join(old, "alive"))
		if err != nil || !alive.Mode().IsRegular() {
			continue
		}
		l := flock.New(filepath.Join(old, "alive"), flock.SetFlag(os.O_RDONLY))
		if ok, err := l.TryLock(); ok && err == nil {
			os.RemoveAll(old)
			l.Unlock()
		}
	}
	for range 10 {
		if dir, err = os.MkdirTemp(root, prefix+"*"); err != nil {
			root = os.TempDir()
			if dir, err = os.MkdirTemp(root, prefix+"*"); err != nil {
				return "", nil, err
			}
		}
		alive := filepath.Join(dir, "alive")
		l := flock.New(alive)
		if ok, err := l.TryLock(); ok && err == nil {
			if _, err := os.Stat(alive); err == nil {
				return dir, func() {
					os.RemoveAll(dir)
					l.Unlock()
				}, nil
			}
			l.Unlock()
		}
		// Another session took it for one that is dead.
		os.RemoveAll(dir)
	}
	return "", nil, fmt.Errorf("no folder in %s can be locked", root)
}
