// Package trap has the kernel stop a process tree at the system calls that use names of
// files, and ask what is to become of each: the filter, what it tells of which call, the
// messages, and the keeper, which answers where nobody else does. What is asked, it lets
// through; package watch looks at it first. It is for Linux on amd64 and arm64.
package trap
