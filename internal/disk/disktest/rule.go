package disktest

import (
	"errors"
	"path/filepath"
	"strings"
)

// ErrCrashed is returned by every operation of a process that has crashed: from the one that
// a rule with Crash met on, and on every FS and File from before FS.Crash.
var ErrCrashed = errors.New("disktest: the process has crashed")

// Op is a kind of operation, or several of them.
type Op uint16

// Kinds of operations. Open counts whether or not it makes the file.
const (
	Open Op = 1 << iota
	Read
	Write
	Sync
	Truncate
	Close
	Rename
	Remove
	Mkdir
	SyncDir
	Stat
	ReadDir

	// Changes are the operations that a crash may come before or behind with another
	// result.
	Changes = Open | Write | Sync | Truncate | Rename | Remove | Mkdir | SyncDir
)

var opNames = [...]string{"open", "read", "write", "sync", "truncate", "close", "rename", "remove", "mkdir", "syncdir", "stat", "readdir"}

// String names the kinds, joined by a vertical bar.
func (o Op) String() string {
	var names []string
	for i, name := range opNames {
		if o&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// Rule says what happens to operations of some kinds on some files. The first rule that an
// operation meets decides.
type Rule struct {
	Ops  Op     // the kinds it is for
	Name string // pattern of path/filepath.Match for the last part of the path; empty: all files

	After int // so many operations that it is for pass it first
	Times int // it is over after it has met so many; 0: it stays

	// What happens. Wait comes first.
	Wait  <-chan struct{} // the operation waits until this is closed
	Crash bool            // the process ends before the operation: ErrCrashed from here on
	Err   error           // the operation fails by it; a syscall.Errno goes into an *fs.PathError
	Short int             // with Err: a write first writes so many bytes
}

// rule is a Rule with what it has met so far.
type rule struct {
	Rule
	seen, met int
}

// meets reports whether an operation is for the rule, and counts it.
func (r *rule) meets(op Op, name string) bool {
	if r.Ops&op == 0 || r.Times > 0 && r.met >= r.Times {
		return false
	}
	if r.Name != "" {
		if ok, _ := filepath.Match(r.Name, filepath.Base(name)); !ok {
			return false
		}
	}
	r.seen++
	if r.seen <= r.After {
		return false
	}
	r.met++
	return true
}
