//go:build linux && (amd64 || arm64)

package watch

import "golang.org/x/sys/unix"

const syscallOpenByHandle = unix.SYS_OPEN_BY_HANDLE_AT
