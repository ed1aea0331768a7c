//go:build unix && !linux

package files

import "syscall"

// toFolder opens a folder for what lies in it.
const toFolder = syscall.O_RDONLY
