// Package toml is what viper needs of github.com/pelletier/go-toml/v2 to be
// built. See ../README.md.
package toml

import "errors"

var errLeftOut = errors.New("TOML is left out of dvlcache")

// Marshal refuses.
func Marshal(any) ([]byte, error) { return nil, errLeftOut }

// Unmarshal refuses.
func Unmarshal([]byte, any) error { return errLeftOut }
