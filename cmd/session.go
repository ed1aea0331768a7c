package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

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
			outer, outerSaves := currentSession()
			os.Unsetenv(sessionVariable)
			os.Unsetenv(saveVariable)
			s, origins, err := load(ui, cmd)
			if err != nil {
				return err
			}
			if outer != "" && !endedSession(outer) && (!save || outerSaves) && resume == "" && !placed(origins) {
				return joinOuter(origins, args, outer, outerSaves)
			}
			save = save || resume != ""
			if save && s.Backend == "memory" {
				return usage(errors.New("--save has nowhere to save to: the backend is memory"), "--backend bolt, --folder DIR or --memcached HOST:PORT")
			}
			return runSession(ui, s, origins, args, save, resume)
		},
	}
	addSettings(cmd, config.StoreSettings)
	cmd.Flags().BoolVar(&save, "save", false, "merge what is new into the cache at the end")
	cmd.Flags().Var(pathFlag{&resume}, "resume", "go on with the session kept in `FOLDER`, which could not be saved, and save it")
	return cmd
}

func runSession(ui *terminal, s *config.Settings, origins []config.Origin, args []string, save bool, resume string) (err error) {
	path, err := process.LookPath(args[0])
	if err != nil {
		return err
	}
	// Until the session is saved, and its folder gone, no signal ends us.
	signals := make(chan os.Signal, 16)
	notify(signals, passedOn...)
	defer signal.Stop(signals)
	var saves string
	if save {
		saves = settingsGiven(origins, func(o config.Origin) bool { return o.From != "default" })
	}
	begin := func() (string, func(), error) {
		dir, end, err := makeSession(ui, save, saves)
		if err != nil {
			err = fmt.Errorf("the session has no folder: %w", err)
		}
		return dir, end, err
	}
	if resume != "" {
		begin = func() (string, func(), error) { return resumeSession(resume) }
	}
	dir, end, err := begin()
	if err != nil {
		return err
	}
	defer func() { end() }()
	last, err := runBelow(path, args, environmentBelow(origins, dir, save), signals)
	if late := awaitUsers(ui, dir, signals, last); late != nil && err == nil {
		err = late
	}
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
				hint = fmt.Sprintf("%sdvlcache session --resume %s -- true saves it, once the cache is in order", settingsGiven(origins, func(o config.Origin) bool { return strings.HasPrefix(o.From, "flag ") }), kept)
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

// environmentBelow is the environment of COMMAND, by which all below know the session
// and the flags of ours.
func environmentBelow(origins []config.Origin, dir string, save bool) []string {
	env := append(os.Environ(), sessionVariable+"="+dir)
	if save {
		env = append(env, saveVariable+"=1")
	}
	for _, o := range origins {
		if strings.HasPrefix(o.From, "flag ") {
			env = append(env, o.Setting.Variable()+"="+fromAnywhere(o)) // COMMAND may go elsewhere
		}
	}
	return env
}

// placed reports whether a flag says where the cache of a session lies.
func placed(origins []config.Origin) bool {
	return slices.ContainsFunc(origins, func(o config.Origin) bool {
		return strings.HasPrefix(o.From, "flag ") && slices.Contains([]string{"backend", "dir", "folder", "memcached"}, o.Setting.Name)
	})
}

// joinOuter runs a session below another one as a part of that, which has what was
// evaluated before, and saves what is new if it is to be saved.
func joinOuter(origins []config.Origin, args []string, dir string, saves bool) error {
	path, err := process.LookPath(args[0])
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 16)
	notify(signals, passedOn...)
	defer signal.Stop(signals)
	joinSession(dir) // the other one lasts as long as we do
	_, err = runBelow(path, args, environmentBelow(origins, dir, saves), signals)
	return err
}

// settingsGiven are the settings of the store that were given in some way, as they
// stand before a command for a shell.
func settingsGiven(origins []config.Origin, given func(config.Origin) bool) string {
	var b strings.Builder
	for _, o := range origins {
		if !slices.Contains(config.StoreSettings, o.Setting) || !given(o) {
			continue
		}
		b.WriteString(o.Setting.Variable() + "=" + wordsText([]string{fromAnywhere(o)}) + " ")
	}
	return b.String()
}

// fromAnywhere is the value of a setting, with absolute paths.
func fromAnywhere(o config.Origin) string {
	if !o.Setting.IsPath() || o.Value == "" {
		return o.Value
	}
	values := []string{o.Value}
	if o.Setting.Repeated() {
		values = strings.Split(o.Value, ",")
	}
	for i, v := range values {
		if abs, err := filepath.Abs(v); err == nil && v != "*" {
			values[i] = abs
		}
	}
	return strings.Join(values, ",")
}

// saveSession merges what is new into the store below the session, and its
// counts into those there. What a session that is resumed can't save is not lost
// by that: it may be another store's.
func saveSession(ui *terminal, s *config.Settings, counters *stats.Stats, resumed bool) error {
	if endedSession(os.Getenv(sessionVariable)) {
		return errors.New("its folder is gone")
	}
	o, err := openExisting(ui, s)
	if err != nil {
		return err
	}
	defer o.close()
	overlay, ok := o.store.(*cache.Overlay)
	if !ok {
		panic("a session that saves has no store to save to")
	}
	saved, err := overlay.Save(context.Background())
	if saved.TooLarge > 0 {
		ui.message(fmt.Sprintf("%s of the session not saved: too large for the server", entries(saved.TooLarge)), "memcached -I 8m takes larger ones")
	}
	if err != nil {
		return err
	}
	if saved.Refused > 0 && resumed {
		return fmt.Errorf("%s not of this cache, or it was cleared since", entries(saved.Refused))
	}
	if saved.Refused > 0 {
		ui.message(fmt.Sprintf("%s of the session not saved: the cache was cleared meanwhile, or is not the one that they were evaluated for", entries(saved.Refused)), "")
	}
	if s.Dir != "" {
		counters.AddTo(stats.New(filepath.Join(s.Dir, "stats")))
	}
	return nil
}

// runBelow runs the command in our own group, since it may want the terminal.
// What the terminal sends reaches it as it does us; what is sent to us alone is
// passed on; last is the latest of those. Its errors are as those of a program that
// run runs.
func runBelow(path string, args, env []string, signals <-chan os.Signal) (last os.Signal, err error) {
	c := &osexec.Cmd{Path: path, Args: args, Env: env, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if err := c.Start(); err != nil {
		return nil, &process.StartError{Command: args[0], Err: err}
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		select {
		case s := <-signals:
			if !fromTerminal(s) {
				if ends(s) {
					last = s
				}
				c.Process.Signal(s)
			}
		case <-ended:
			err := process.ExitErrorOf(args[0], c.ProcessState)
			var exit *process.ExitError
			if errors.As(err, &exit) && exit.Signal != 0 {
				err = &signalError{exit.Signal} // so that a shell above us sees it, too
			}
			return last, err
		}
	}
}
