// Package config finds the settings of dvlcache: from flags, the environment,
// dvlcache.yaml, the user's file, and defaults, in this order.
package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings are the effective settings. The tables below say what each means.
type Settings struct {
	Backend       string
	Dir           string
	Namespace     string
	LockTimeout   time.Duration
	Strict        bool
	Memcached     []string
	MemcachedTLS  bool
	MemcachedCA   string
	MemcachedCert string
	MemcachedKey  string
	TTL           time.Duration

	Ignore       []string
	IgnoreArg    []int
	IgnoreSwitch []string
	Unordered    []string
	Track        string
	Paths        string
	DependsOn    []string
	Env          []string
	PassEnv      []string

	Extract        string
	AllowNonfinite bool
	KeepOutput     Bytes
	NoRecord       bool
	Format         string
	Default        string

	Timeout         time.Duration
	Grace           time.Duration
	WaitTimeout     time.Duration
	TimeThreshold   time.Duration
	Tee             bool
	AllowOpenStdout bool

	Repeat         Repeat
	Converge       bool
	Jobs           int
	RtolStderr     float64
	AtolStderr     float64
	MinRepetitions int
	MaxRepetitions int

	Refresh    bool
	OnlyCached bool
	NoCache    bool
	Verbose    bool

	// Programs are the rules of dvlcache.yaml for single programs.
	Programs []Program
}

// Program is the part of a file that holds for one program: lists that are
// added to the global ones.
type Program struct {
	Name string // base name of COMMAND, or of the script behind it
	From string // the file's path

	Ignore       []string
	IgnoreArg    []int
	IgnoreSwitch []string
	Unordered    []string
	DependsOn    []string
	Env          []string
	PassEnv      []string
}

// Bytes is a size in bytes.
type Bytes int

// Repeat is whether evaluations are repeated: until their mean is stable, or,
// if Samples is not 0, until there are that many.
type Repeat struct {
	On      bool
	Samples int64
}

// Setting describes one setting. Its name is that of its flag and its key in
// files; its variable is DVLCACHE_NAME.
type Setting struct {
	Name    string
	Short   string // the one letter that stands for the flag, if any
	Default string // of a switch: false
	// Metavar is what the flag's value is called in help; empty for a
	// switch.
	Metavar string
	// Alone is the value of the flag where it is given without one; empty
	// if it has to have one.
	Alone string
	Usage string

	field   func(*Settings) any // a pointer into the Settings
	program func(*Program) any  // … and into a Program, where there may be one
	choices []string
	aliases []string // further environment variables
	isPath  bool     // in a file, relative to the file's folder
}

// shape is settings of which the types alone are asked for.
var shape Settings

// Repeated reports whether the setting is a list.
func (s *Setting) Repeated() bool {
	switch s.field(&shape).(type) {
	case *[]string, *[]int:
		return true
	}
	return false
}

// Switch reports whether the setting is a boolean.
func (s *Setting) Switch() bool {
	_, ok := s.field(&shape).(*bool)
	return ok
}

// IsPath reports whether the setting names a file or folder.
func (s *Setting) IsPath() bool { return s.isPath }

// Choices are the values that the setting may have, if they are few.
func (s *Setting) Choices() []string { return s.choices }

// InProgram returns what a program's rules say of the setting, as texts.
func (s *Setting) InProgram(p *Program) []string {
	if s.program == nil {
		return nil
	}
	switch list := s.program(p).(type) {
	case *[]string:
		return *list
	case *[]int:
		var out []string
		for _, n := range *list {
			out = append(out, strconv.Itoa(n))
		}
		return out
	}
	return nil
}

// prefix begins the names of our environment variables.
const prefix = "DVLCACHE_"

// Variable is the environment variable of the setting.
func (s *Setting) Variable() string {
	return prefix + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// isVariable reports whether a name is Variable. It makes that only where it may be
// the same: each start asks this of all settings.
func (s *Setting) isVariable(name string) bool {
	return len(name) == len(prefix)+len(s.Name) && name == s.Variable()
}

// StoreSettings are those of every command that opens the cache.
var StoreSettings = []*Setting{
	{Name: "backend", Default: "auto", Metavar: "NAME", choices: []string{"auto", "bolt", "memory", "memcached"},
		Usage: "where entries lie: bolt, memory, memcached, or auto: memcached if servers are given, else bolt",
		field: func(s *Settings) any { return &s.Backend }},
	{Name: "dir", Metavar: "DIR", isPath: true,
		Usage: "folder of the cache (default: dvlcache in the user's cache directory)",
		field: func(s *Settings) any { return &s.Dir }},
	{Name: "namespace", Default: "default", Metavar: "NAME",
		Usage: "part of the cache that can be cleared by name",
		field: func(s *Settings) any { return &s.Namespace }},
	{Name: "lock-timeout", Default: "5s", Metavar: "TIME",
		Usage: "wait this long for other processes to let go of the cache, then go on without it",
		field: func(s *Settings) any { return &s.LockTimeout }},
	{Name: "memcached", Metavar: "SERVER",
		Usage: "a memcached server, HOST:PORT or the path of a Unix socket; all clients name them in one order",
		field: func(s *Settings) any { return &s.Memcached }},
	{Name: "memcached-tls", Default: "false",
		Usage: "speak TLS with memcached",
		field: func(s *Settings) any { return &s.MemcachedTLS }},
	{Name: "memcached-ca", Metavar: "FILE", isPath: true,
		Usage: "trust the authorities in this PEM file, not the system's",
		field: func(s *Settings) any { return &s.MemcachedCA }},
	{Name: "memcached-cert", Metavar: "FILE", isPath: true,
		Usage: "show memcached the certificate in this PEM file",
		field: func(s *Settings) any { return &s.MemcachedCert }},
	{Name: "memcached-key", Metavar: "FILE", isPath: true,
		Usage: "… whose key is in this one",
		field: func(s *Settings) any { return &s.MemcachedKey }},
	{Name: "ttl", Default: "0s", Metavar: "TIME",
		Usage: "memcached forgets entries this long after they were written (0: when it needs the room)",
		field: func(s *Settings) any { return &s.TTL }},
	{Name: "strict", Default: "false",
		Usage: "fail with status 125 where the cache is out of order",
		field: func(s *Settings) any { return &s.Strict }},
}

// KeySettings say what counts as the same call.
var KeySettings = []*Setting{
	{Name: "ignore", Metavar: "NAME",
		Usage:   "the value of flag NAME does not count (--NAME=V, --NAME V, NAME=V)",
		field:   func(s *Settings) any { return &s.Ignore },
		program: func(p *Program) any { return &p.Ignore }},
	{Name: "ignore-arg", Metavar: "N",
		Usage:   "the Nth argument after COMMAND does not count",
		field:   func(s *Settings) any { return &s.IgnoreArg },
		program: func(p *Program) any { return &p.IgnoreArg }},
	{Name: "ignore-switch", Metavar: "NAME",
		Usage:   "flag NAME, which takes no value, does not count",
		field:   func(s *Settings) any { return &s.IgnoreSwitch },
		program: func(p *Program) any { return &p.IgnoreSwitch }},
	{Name: "unordered", Metavar: "NAME[...]",
		Usage:   "the value of flag NAME is a set: 1,4,7 is 7,1,4; with ... its values are the following arguments",
		field:   func(s *Settings) any { return &s.Unordered },
		program: func(p *Program) any { return &p.Unordered }},
	{Name: "track", Default: "args", Metavar: "args|none", choices: []string{"args", "none"},
		Usage: "arguments that name files count with their contents, or by name alone",
		field: func(s *Settings) any { return &s.Track }},
	{Name: "paths", Default: "absolute", Metavar: "absolute|project|none", choices: []string{"absolute", "project", "none"},
		Usage: "how much of the paths of programs, files and the working directory counts",
		field: func(s *Settings) any { return &s.Paths }},
	{Name: "depends-on", Metavar: "PATH", isPath: true,
		Usage:   "this file's contents count; a folder's recursively",
		field:   func(s *Settings) any { return &s.DependsOn },
		program: func(p *Program) any { return &p.DependsOn }},
	{Name: "env", Metavar: "VAR",
		Usage:   "this environment variable counts",
		field:   func(s *Settings) any { return &s.Env },
		program: func(p *Program) any { return &p.Env }},
}

// RunSettings say how COMMAND is run and its number read.
var RunSettings = []*Setting{
	{Name: "pass-env", Metavar: "VAR",
		Usage:   "hand this scheduler's array index on to COMMAND, although it does not count",
		field:   func(s *Settings) any { return &s.PassEnv },
		program: func(p *Program) any { return &p.PassEnv }},
	{Name: "extract", Default: "last", Metavar: "HOW",
		Usage: "where the number is: last (line), only, regex:RE, json:PATH",
		field: func(s *Settings) any { return &s.Extract }},
	{Name: "allow-nonfinite", Default: "false",
		Usage: "NaN and infinities are numbers, too",
		field: func(s *Settings) any { return &s.AllowNonfinite }},
	{Name: "keep-output", Default: "2KiB", Metavar: "SIZE",
		Usage: "keep this much of the end of stdout, for other extractions",
		field: func(s *Settings) any { return &s.KeepOutput }},
	{Name: "no-record-command", Default: "false",
		Usage: "keep digests alone of COMMAND's arguments and of --env values, which may be secret",
		field: func(s *Settings) any { return &s.NoRecord }},
	{Name: "format", Default: "value", Metavar: "value|tsv|json", choices: []string{"value", "tsv", "json"},
		Usage: "what to print",
		field: func(s *Settings) any { return &s.Format }},
	{Name: "default", Metavar: "X",
		Usage: "print X, and don't store it, where COMMAND fails (status 1 to 125) or prints no number",
		field: func(s *Settings) any { return &s.Default }},
	{Name: "timeout", Default: "0s", Metavar: "TIME",
		Usage: "stop COMMAND after this time (0: never)",
		field: func(s *Settings) any { return &s.Timeout }},
	{Name: "grace", Default: "5s", Metavar: "TIME",
		Usage: "a COMMAND that is stopped has this long to end before it is killed",
		field: func(s *Settings) any { return &s.Grace }},
	{Name: "wait-timeout", Default: "1h", Metavar: "TIME",
		Usage: "wait this long for another process that evaluates the same call (0: as long as it takes)",
		field: func(s *Settings) any { return &s.WaitTimeout }},
	{Name: "time-threshold", Default: "0s", Metavar: "TIME",
		Usage: "don't store evaluations that took less",
		field: func(s *Settings) any { return &s.TimeThreshold }},
	{Name: "tee", Default: "false",
		Usage: "show COMMAND's stdout on stderr while it runs",
		field: func(s *Settings) any { return &s.Tee }},
	{Name: "allow-open-stdout", Default: "false",
		Usage: "store the number even if a process that COMMAND left behind holds its stdout",
		field: func(s *Settings) any { return &s.AllowOpenStdout }},
	{Name: "refresh", Default: "false",
		Usage: "evaluate and overwrite what is stored",
		field: func(s *Settings) any { return &s.Refresh }},
	{Name: "only-cached", Default: "false",
		Usage: "never run COMMAND; exit with status 3 if the number is not there",
		field: func(s *Settings) any { return &s.OnlyCached }},
	{Name: "no-cache", Default: "false", aliases: []string{"DVLCACHE_DISABLE"},
		Usage: "run COMMAND and neither read nor write the cache",
		field: func(s *Settings) any { return &s.NoCache }},
	{Name: "verbose", Short: "v", Default: "false",
		Usage: "say on stderr whether it was a hit, the key, and what was ignored or tracked",
		field: func(s *Settings) any { return &s.Verbose }},
}

// RepeatSettings are those for stochastic utilities.
var RepeatSettings = []*Setting{
	{Name: "repeat", Default: "false", Alone: "true",
		Usage: "average: evaluate once more until the mean is stable; --repeat=N: until there are N samples",
		field: func(s *Settings) any { return &s.Repeat }},
	{Name: "converge", Default: "false",
		Usage: "average: make all evaluations that a stable mean needs, now",
		field: func(s *Settings) any { return &s.Converge }},
	{Name: "jobs", Default: "1", Metavar: "N",
		Usage: "make N evaluations of --converge or --repeat=N at a time",
		field: func(s *Settings) any { return &s.Jobs }},
	{Name: "rtol-stderr", Default: "0.1", Metavar: "X",
		Usage: "a mean is stable if its standard error is at most X times its absolute value …",
		field: func(s *Settings) any { return &s.RtolStderr }},
	{Name: "atol-stderr", Default: "0", Metavar: "X",
		Usage: "… or at most X",
		field: func(s *Settings) any { return &s.AtolStderr }},
	{Name: "min-repetitions", Default: "3", Metavar: "N",
		Usage: "a mean of N evaluations or less is not stable",
		field: func(s *Settings) any { return &s.MinRepetitions }},
	{Name: "max-repetitions", Default: "0", Metavar: "N",
		Usage: "a mean of N evaluations is stable enough (0: no limit)",
		field: func(s *Settings) any { return &s.MaxRepetitions }},
}

// All lists all settings.
func All() []*Setting {
	return slices.Concat(StoreSettings, KeySettings, RunSettings, RepeatSettings)
}

// Parse checks a text as a value of the setting.
func (s *Setting) Parse(text string) error {
	return s.set(s.field(&Settings{}), []string{text})
}

// set parses values into the field that ptr points to. A list takes them all,
// anything else the last.
func (s *Setting) set(ptr any, values []string) error {
	last := ""
	if len(values) > 0 {
		last = values[len(values)-1]
	}
	if s.choices != nil && !slices.Contains(s.choices, last) {
		return fmt.Errorf("%q is none of %s", last, strings.Join(s.choices, ", "))
	}
	switch p := ptr.(type) {
	case *string:
		*p = last
	case *[]string:
		*p = values
	case *bool:
		v, err := strconv.ParseBool(last)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", last)
		}
		*p = v
	case *int:
		v, err := strconv.Atoi(last)
		if err != nil || v < 0 {
			return fmt.Errorf("%q is no whole number from 0 on", last)
		}
		*p = v
	case *float64:
		v, err := strconv.ParseFloat(last, 64)
		if err != nil || !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("%q is no number from 0 on", last)
		}
		*p = v
	case *Repeat:
		v, err := parseRepeat(last)
		if err != nil {
			return err
		}
		*p = v
	case *[]int:
		*p = nil
		for _, text := range values {
			n, err := strconv.Atoi(text)
			if err != nil {
				return fmt.Errorf("%q is no whole number", text)
			}
			*p = append(*p, n)
		}
	case *time.Duration:
		v, err := parseDuration(last)
		if err != nil {
			return err
		}
		*p = v
	case *Bytes:
		v, err := ParseBytes(last)
		if err != nil {
			return err
		}
		*p = v
	default:
		panic(fmt.Sprintf("config: setting %s has a field of type %T", s.Name, ptr))
	}
	return nil
}

// parseDuration reads Go's form (90s, 1h30m) and plain seconds.
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		var seconds float64
		if seconds, err = strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < 1e9 {
			d = time.Duration(seconds * float64(time.Second))
		} else {
			return 0, fmt.Errorf("%q is no time; give it as 90s, 5m or 1h30m", text)
		}
	}
	if d < 0 {
		return 0, fmt.Errorf("%q is less than no time", text)
	}
	return d, nil
}

// parseRepeat reads a number of samples, true or false.
func parseRepeat(text string) (Repeat, error) {
	switch text {
	case "true":
		return Repeat{On: true}, nil
	case "false":
		return Repeat{}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return Repeat{}, fmt.Errorf("%q is no number of samples from 1 on", text)
	}
	return Repeat{On: true, Samples: n}, nil
}

// ParseBytes reads a size: a whole number of bytes, KiB (or K, KB) or MiB, up to
// 1 MiB.
func ParseBytes(text string) (Bytes, error) {
	digits := strings.TrimRight(text, "KMiBkmb ")
	n, err := strconv.Atoi(digits)
	unit := 1
	switch strings.ToUpper(strings.TrimSpace(text[len(digits):])) {
	case "", "B":
	case "K", "KB", "KIB":
		unit = 1 << 10
	case "M", "MB", "MIB":
		unit = 1 << 20
	default:
		err = strconv.ErrSyntax
	}
	if err != nil || n < 0 || n > (1<<20)/unit {
		return 0, fmt.Errorf("%q is no size from 0 to 1MiB; give it as 2048 or 2KiB", text)
	}
	return Bytes(n * unit), nil
}

// For adds the rules that the files give for a program. names are the base
// names that it goes by.
func (s *Settings) For(names ...string) *Settings {
	t := *s
	for _, p := range s.Programs {
		if !slices.Contains(names, p.Name) {
			continue
		}
		t.Ignore = slices.Concat(t.Ignore, p.Ignore)
		t.IgnoreArg = slices.Concat(t.IgnoreArg, p.IgnoreArg)
		t.IgnoreSwitch = slices.Concat(t.IgnoreSwitch, p.IgnoreSwitch)
		t.Unordered = slices.Concat(t.Unordered, p.Unordered)
		t.DependsOn = slices.Concat(t.DependsOn, p.DependsOn)
		t.Env = slices.Concat(t.Env, p.Env)
		t.PassEnv = slices.Concat(t.PassEnv, p.PassEnv)
	}
	return &t
}
