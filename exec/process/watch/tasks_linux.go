//go:build amd64 || arm64

package watch

import (
	"bytes"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// task is a thread of the tree.
type task struct {
	tgid    uint32 // its process
	program *program
	// foreign is set if names may mean something else to it than to us.
	foreign bool
}

// task is the one that called.
func (r *reader) task() *task {
	if t, ok := r.seen.tasks[r.n.PID]; ok {
		return t
	}
	return r.newTask(r.n.PID)
}

// newTask learns of a thread: a forked process runs what its parent runs.
func (r *reader) newTask(tid uint32) *task {
	s := &r.seen
	t := &task{tgid: tid, program: s.root}
	var room [512]byte // the numbers that we want are among the first
	if status := statusOf(tid, room[:]); status != nil {
		t.tgid = field(status, "\nTgid:")
		if t.tgid == 0 {
			t.tgid = tid
		}
		if other := s.tasks[t.tgid]; other != nil {
			t.program = other.program
		} else if other := s.tasks[field(status, "\nPPid:")]; other != nil {
			t.program = other.program
		}
	}
	if mounts := r.readlink("/proc/" + strconv.Itoa(int(tid)) + "/ns/mnt"); mounts != "" && mounts != s.ownMounts {
		t.foreign = true
	}
	if s.namespaces > 0 {
		var root unix.Stat_t
		if err := unix.Stat(fmt.Sprintf("/proc/%d/root", tid), &root); err == nil && (root.Dev != s.ownRoot.Dev || root.Ino != s.ownRoot.Ino) {
			t.foreign = true
		}
	}
	s.tasks[tid] = t
	return t
}

// statusOf is how /proc/PID/status of a thread begins, as much as there is room for. It is
// nil if that can't be read.
func statusOf(tid uint32, room []byte) []byte {
	fd, err := unix.Open("/proc/"+strconv.Itoa(int(tid))+"/status", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, room)
	if err != nil || n <= 0 {
		return nil
	}
	return room[:n]
}

// field is a number in /proc/PID/status.
func field(status []byte, name string) uint32 {
	_, rest, ok := bytes.Cut(status, []byte(name))
	if !ok {
		return 0
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	n, _ := strconv.ParseUint(string(bytes.TrimSpace(line)), 10, 32)
	return uint32(n)
}

// compareRoots notes if the calling thread finds something else behind a name
// than we have found, having a mount namespace or a root of its own.
func (r *reader) compareRoots(f found) {
	if f.kind == kernel || !r.task().foreign || r.seen.isOwned(f.path) {
		return
	}
	var there unix.Stat_t
	r.outside()
	err := unix.Lstat(fmt.Sprintf("/proc/%d/root%s", r.n.PID, f.path), &there)
	r.inside()
	if err != nil && f.kind == absent || err == nil && there.Dev == f.stamp.dev && there.Ino == f.stamp.ino {
		return
	}
	r.seen.unseen(r.task().program.name + " looks at files in a mount namespace, or below a root, of its own")
}
