// Package gotenv is what viper needs of github.com/subosito/gotenv to be built.
// See ../README.md.
package gotenv

import (
	"errors"
	"io"
)

// Env is a set of variables.
type Env map[string]string

// StrictParse would read a dotenv file.
func StrictParse(io.Reader) (Env, error) {
	return nil, errors.New("dotenv files are left out of dvlcache")
}
