package cmd

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dvlcache/cache"
	"dvlcache/cache/key"
	"dvlcache/cache/key/launch"
	"dvlcache/cache/stats"
	"dvlcache/config"
	"dvlcache/exec"
	"dvlcache/exec/number"
	"dvlcache/exec/process"
	"dvlcache/exec/process/watch"
)

// flagValue is a flag for a setting.
type flagValue struct {
	setting *config.Setting
	values  []string
}

func (f *flagValue) String() string { return strings.Join(f.values, ",") }

func (f *flagValue) Set(text string) error {
	if err := f.setting.Parse(text); err != nil {
		return err
	}
	f.values = append(f.values, text)
	return nil
}

func (f *flagValue) Type() string {
	if f.setting.Switch() || f.setting.Alone != "" {
		return "bool" // for the help: a flag that may stand alone
	}
	return f.setting.Metavar
}

// addSettings gives a command flags for settings.
func addSettings(cmd *cobra.Command, groups ...[]*config.Setting) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.SetInterspersed(false)
	settings := slices.Concat(groups...)
	// At once, since every call pays for it.
	values, added := make([]flagValue, len(settings)), make([]pflag.Flag, len(settings))
	for i, s := range settings {
		values[i].setting = s
		added[i] = pflag.Flag{Name: s.Name, Shorthand: s.Short, Usage: s.Usage, Value: &values[i], DefValue: s.Default, NoOptDefVal: s.Alone}
		if s.Switch() {
			added[i].NoOptDefVal = "true"
		}
		flags.AddFlag(&added[i])
	}
}

// only are the settings of these names.
func only(settings []*config.Setting, names ...string) []*config.Setting {
	return slices.DeleteFunc(slices.Clone(settings), func(s *config.Setting) bool { return !slices.Contains(names, s.Name) })
}

// without are the settings of other names than these.
func without(settings []*config.Setting, names ...string) []*config.Setting {
	return slices.DeleteFunc(slices.Clone(settings), func(s *config.Setting) bool { return slices.Contains(names, s.Name) })
}

// listSettings are those of a command that goes through entries, which
// memcached can't do.
func listSettings() []*config.Setting {
	return only(config.StoreSettings, "backend", "dir", "folder", "namespace", "lock-timeout", "safe-directory")
}

// fileSettings are those of a command that is about the cache's file.
func fileSettings() []*config.Setting {
	return only(config.StoreSettings, "backend", "dir", "folder", "lock-timeout", "safe-directory")
}

// namespaceMeans has the help of a command say what its --namespace does, where the
// flag alone counts: the setting elsewhere is for what is run and cleared.
func namespaceMeans(cmd *cobra.Command, what string) {
	f := cmd.Flags().Lookup("namespace")
	f.Usage, f.DefValue = what, ""
}

// hide takes flags out of the help of a command that takes them so that a line
// can be edited from run.
func hide(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		cmd.Flags().Lookup(name).Hidden = true
	}
}

// load finds the settings of a command, and tells of variables that look like one
// and are none: a name that is mistyped must not be passed over.
func load(ui *terminal, cmd *cobra.Command) (*config.Settings, []config.Origin, error) {
	given := map[string][]string{}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if v, ok := f.Value.(*flagValue); ok {
			given[f.Name] = v.values
		}
	})
	for _, stray := range config.Strays([]string{secretVariable, sessionVariable, saveVariable, process.ActiveVariable, exec.WatchedVariable}) {
		ui.warn(stray.Error(), stray.Hint)
	}
	s, origins, err := config.Load(given)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range s.Warnings {
		ui.warn(w.Error(), w.Hint)
	}
	if foreign := foreignDir(s); foreign != nil && (s.Backend == "memcached" || s.Backend == "folder") {
		ui.warn(foreign.Error()+"; going on with "+s.Backend+" alone", foreign.hint)
		s.Dir = ""
	}
	if s.Namespace == "" {
		return nil, nil, badSetting(origins, "namespace", errors.New("the name is empty"))
	}
	if len(s.Namespace) > stats.MaxNamespace {
		return nil, nil, badSetting(origins, "namespace", fmt.Errorf("longer than %d bytes", stats.MaxNamespace))
	}
	return s, origins, nil
}

// badSetting is the error of a value that only its user can judge.
func badSetting(origins []config.Origin, name string, err error) error {
	for _, o := range origins {
		if o.Setting.Name == name {
			return &config.Error{Where: o.From, Key: name, Reason: err.Error()}
		}
	}
	return err
}

// loadQuery makes a query of what a command is given, and returns the settings that hold
// for COMMAND, and where they come from.
func loadQuery(ui *terminal, cmd *cobra.Command, args []string) (q exec.Query, s *config.Settings, origins []config.Origin, err error) {
	if s, origins, err = load(ui, cmd); err == nil {
		q, s, origins, err = query(s, origins, args)
	}
	return q, s, origins, err
}

// query makes a query of the settings and of COMMAND, and returns the settings that
// hold for COMMAND, and where they come from.
func query(s *config.Settings, origins []config.Origin, args []string) (exec.Query, *config.Settings, []config.Origin, error) {
	names := programNames(s, args)
	rules, err := rulesOf(s, origins, names)
	if err != nil {
		return exec.Query{}, nil, nil, err
	}
	if len(names) > 0 {
		s, origins = s.For(origins, names...)
	}
	extraction, err := number.ParseExtraction(s.Extract, s.AllowNonfinite)
	if err != nil {
		return exec.Query{}, nil, nil, badSetting(origins, "extract", err)
	}
	if s.Default != "" {
		if _, _, err := number.Parse(s.Default, true); err != nil {
			return exec.Query{}, nil, nil, badSetting(origins, "default", err)
		}
	}
	if s.Converge && s.Repeat.Samples > 0 {
		return exec.Query{}, nil, nil, usage(fmt.Errorf("--converge and --repeat=%d are given", s.Repeat.Samples), "leave one of them out")
	}
	for _, against := range []struct {
		given bool
		name  string
	}{{s.Refresh, "--refresh"}, {s.NoCache, "--no-cache"}} {
		if s.OnlyCached && against.given {
			return exec.Query{}, nil, nil, usage(fmt.Errorf("--only-cached and %s are given", against.name), "leave one of them out")
		}
	}
	env := s.Env
	if s.Track == "auto" || s.Track == "reads" {
		env = slices.Concat(env, loaderVariables(s.PassEnv))
	}
	return exec.Query{
		Args:            args,
		Rules:           rules,
		TrackArgs:       s.Track != "none",
		Reads:           map[string]exec.Reads{"auto": exec.ReadsAuto, "reads": exec.ReadsAlways}[s.Track],
		Paths:           key.Paths(s.Paths),
		DependsOn:       s.DependsOn,
		Untracked:       s.Untracked,
		Gitignore:       s.Gitignore,
		Leave:           ownFolders(s),
		Safe:            s.SafeDirectory,
		Env:             env,
		Descriptors:     inheritedDescriptors(s.Track),
		PassEnv:         s.PassEnv,
		Namespace:       s.Namespace,
		Extraction:      extraction,
		KeepOutput:      int(s.KeepOutput),
		HideCommand:     s.NoRecord,
		Tee:             s.Tee,
		AllowOpenStdout: s.AllowOpenStdout,
		Timeout:         s.Timeout,
		WaitTimeout:     s.WaitTimeout,
		TimeThreshold:   s.TimeThreshold,
		Strict:          s.Strict,
		Refresh:         s.Refresh,
		OnlyCached:      s.OnlyCached,
		Default:         s.Default,
		Repeat: exec.Repeat{
			Once:     s.Repeat.On && s.Repeat.Samples == 0 && !s.Converge,
			Samples:  s.Repeat.Samples,
			Converge: s.Converge,
			Jobs:     s.Jobs,
		},
		Stop: cache.StopRule{
			MinRepetitions: int64(s.MinRepetitions),
			MaxRepetitions: int64(s.MaxRepetitions),
			RelTolerance:   s.RtolStderr,
			AbsTolerance:   s.AtolStderr,
		},
	}, s, origins, nil
}

// inheritedDescriptors are those that COMMAND gets from whoever started us, and that
// it could read.
func inheritedDescriptors(track string) (list []key.Descriptor) {
	if track == "none" {
		return nil
	}
	all, err := watch.Inherited()
	if err != nil {
		return nil // this system doesn't tell
	}
	tokens := jobserver()
	for _, d := range all {
		if d.Regular || d.Once && d.Name != tokens {
			list = append(list, key.Descriptor{Number: d.Number, Name: d.Name, Offset: d.Offset, Once: d.Once})
		}
	}
	return list
}

// jobserver is the pipe of a make that has started us, as the system names it, or "". A
// recipe with + or $(MAKE) has it open: what it holds says how many programs may run, and
// nothing of their numbers. MAKEFLAGS may be an older one's, and the numbers something
// else's by now; two ends of one pipe are a jobserver's.
func jobserver() string {
	for _, flag := range strings.Fields(os.Getenv("MAKEFLAGS")) {
		name, ends, _ := strings.Cut(flag, "=")
		from, to, _ := strings.Cut(ends, ",")
		if name != "--jobserver-auth" && name != "--jobserver-fds" {
			continue
		}
		const open = "/proc/self/fd/"
		reads, err := os.Readlink(open + from)
		writes, _ := os.Readlink(open + to)
		if err == nil && reads == writes && strings.HasPrefix(reads, "pipe:") {
			return reads
		}
	}
	return ""
}

// loaders are the variables that say where programs load code from.
var loaders = []string{"PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LD_PRELOAD", "R_LIBS", "R_LIBS_USER", "R_LIBS_SITE", "PERL5LIB",
	"JULIA_LOAD_PATH", "JULIA_PROJECT", "NODE_PATH", "CLASSPATH"}

// loaderVariables are those of loaders that are set and aren't handed on uncounted.
func loaderVariables(passed []string) (names []string) {
	for _, name := range loaders {
		if _, set := os.LookupEnv(name); set && !slices.Contains(passed, name) {
			names = append(names, name)
		}
	}
	return names
}

// rulesOf puts together the rules for COMMAND, which goes by these names, and says
// which of them is wrong and where it comes from.
func rulesOf(s *config.Settings, origins []config.Origin, names []string) (key.Rules, error) {
	rules := func(s *config.Settings) (key.Rules, error) {
		return key.Rules{Ignore: s.Ignore, IgnoreArg: s.IgnoreArg, IgnoreSwitch: s.IgnoreSwitch, Unordered: s.Unordered,
			UnorderedArg: s.UnorderedArg, ByContent: s.ByContent, ByContentArg: s.ByContentArg}.Normalize()
	}
	var wrong *key.RuleError
	all, err := rules(s)
	if errors.As(err, &wrong) {
		return key.Rules{}, badSetting(origins, wrong.Rule, fmt.Errorf("%q: %s", wrong.Name, wrong.Reason))
	}
	if len(names) == 0 {
		return all, err
	}
	forNames := func(s *config.Settings) (key.Rules, error) {
		s, _ = s.For(origins, names...)
		return rules(s)
	}
	all, err = forNames(s)
	if errors.As(err, &wrong) {
		for i, p := range s.Programs {
			upTo := *s // where it goes wrong
			upTo.Programs = s.Programs[:i+1]
			if _, err := forNames(&upTo); err != nil {
				return key.Rules{}, &config.Error{Where: p.From, Key: "programs: " + p.Name, Reason: err.Error()}
			}
		}
	}
	return all, err
}

// programNames are the names that rules for COMMAND go by, where there are such rules.
func programNames(s *config.Settings, args []string) []string {
	if len(s.Programs) == 0 {
		return nil
	}
	return launch.ProgramNames(args)
}

// sameRules returns what tells whether the rules for COMMAND hold for a line of a
// batch too, or nil if they always do: where COMMAND starts another program, that
// may be in the line, and have others.
func sameRules(s *config.Settings, command []string) func(args []string) error {
	if len(s.Programs) == 0 || !launch.IsLauncher(command[0]) {
		return nil
	}
	ruled := func(args []string) []string {
		return slices.DeleteFunc(programNames(s, args), func(name string) bool {
			return !slices.ContainsFunc(s.Programs, func(p config.Program) bool { return p.Name == name })
		})
	}
	rules := ruled(command)
	return func(args []string) error {
		line := ruled(args)
		for _, name := range line {
			if !slices.Contains(rules, name) {
				return usage(fmt.Errorf("the rules for %s are not those that the batch goes by; give it a batch with %s in COMMAND", name, name), "")
			}
		}
		if len(line) < len(rules) {
			return usage(fmt.Errorf("the rules for %s, by which the batch goes, are not for this line", strings.Join(rules, " and ")), "")
		}
		return nil
	}
}
