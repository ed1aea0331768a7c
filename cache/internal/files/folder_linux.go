package files

import "golang.org/x/sys/unix"

// toFolder opens a folder for what lies in it, also where it may not be listed.
const toFolder = unix.O_PATH
