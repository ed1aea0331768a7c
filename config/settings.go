// Package config finds the settings of dvlcache: from flags, the environment,
// dvlcache.yaml, the user's file, and defaults, in this order.
package config

import (
	"strings"
	"time"
)

// Settings are the effective settings. The tables in table.go say what each means.
type Settings struct {
	Backend       string
	Dir           string
	Folder        string
	Namespace     string
	LockTimeout   time.Duration
	Strict        bool
	Memcached     []string
	MemcachedTLS  bool
	MemcachedCA   string
	MemcachedCert string
	MemcachedKey  string
	SafeDirectory []string
	TTL           time.Duration

	Ignore       []string
	IgnoreArg    []int
	IgnoreSwitch []string
	Unordered    []string
	UnorderedArg []string
	ByContent    []string
	ByContentArg []int
	Track        string
	Paths        string
	DependsOn    []string
	Untracked    []string
	Gitignore    bool
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

	// DirByProject says that a project's file gives Dir.
	DirByProject bool
	// FolderByProject says the same of Folder.
	FolderByProject bool
	// Warnings are what was passed over.
	Warnings []*Error

	// Programs are what dvlcache.yaml says for single programs; see For.
	Programs []Program
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
	choices []string
	aliases []string                // further environment variables
	byUser  bool                    // no project's file may give it
	names   bool                    // of a list: no item holds a comma or a blank
	isPath  bool                    // in a file, relative to the file's folder
	check   func(item string) error // of a list, if not any text will do
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
