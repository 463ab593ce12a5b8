package disktest

import (
	"io/fs"
	"math/rand/v2"
	"time"
)

// sector is how many bytes of a file survive a crash together.
const sector = 512

// inode is a file or a folder. The mutex of its FS guards it.
type inode struct {
	perm    fs.FileMode
	changed time.Time

	// Of a file.
	data    []byte // what readers see
	durable []byte // what survives a crash for certain
	dirty   []span // where data was changed since the last Sync, sorted, apart from each other

	// Of a folder; nil in a file.
	names        map[string]*inode
	durableNames map[string]*inode
}

// span is the bytes [from, to) of a file.
type span struct{ from, to int }

// change is one name of a folder: what it means from now on, nil for nothing.
type change struct {
	dir  *inode
	name string
	node *inode
}

// dirOp is what one operation changes in folders. In a crash its changes survive together,
// but for those that were synced by themselves (a rename from folder to folder is two).
type dirOp []change

func newDir(perm fs.FileMode) *inode {
	return &inode{
		perm: fs.ModeDir | perm, changed: time.Now(),
		names: map[string]*inode{}, durableNames: map[string]*inode{},
	}
}

func (n *inode) isDir() bool { return n.names != nil }

// set gives a name a meaning in a map of names.
func set(names map[string]*inode, name string, node *inode) {
	if node == nil {
		delete(names, name)
		return
	}
	names[name] = node
}

// write puts p at an offset, behind zeros if that is beyond the end.
func (n *inode) write(p []byte, at int) {
	if end := at + len(p); end > len(n.data) {
		n.resize(end)
	}
	copy(n.data[at:], p)
	n.touch(at, at+len(p))
}

func (n *inode) resize(size int) {
	if size <= len(n.data) {
		n.touch(size, len(n.data))
		n.data = n.data[:size]
		return
	}
	from := len(n.data)
	n.data = append(n.data, make([]byte, size-from)...)
	n.touch(from, size)
}

// touch notes that bytes have changed.
func (n *inode) touch(from, to int) {
	n.changed = time.Now()
	var out []span
	for _, s := range n.dirty {
		switch {
		case s.to < from || s.from > to:
			out = append(out, s)
		default:
			from, to = min(from, s.from), max(to, s.to)
		}
	}
	out = append(out, span{from, to})
	for i := len(out) - 1; i > 0 && out[i].from < out[i-1].from; i-- {
		out[i], out[i-1] = out[i-1], out[i]
	}
	n.dirty = out
}

// sync makes what is dirty durable, and the length.
func (n *inode) sync() {
	n.durable = fit(n.durable, len(n.data))
	for _, s := range n.dirty {
		if to := min(s.to, len(n.data)); s.from < to {
			copy(n.durable[s.from:to], n.data[s.from:to])
		}
	}
	n.dirty = nil
}

// survive is what a file holds behind a crash.
func (n *inode) survive(r *rand.Rand) []byte {
	if len(n.dirty) == 0 {
		return append([]byte(nil), n.durable...)
	}
	size := len(n.durable)
	switch lo, hi := min(size, len(n.data)), max(size, len(n.data)); r.IntN(3) {
	case 0:
	case 1:
		size = len(n.data)
	case 2:
		size = lo + r.IntN(hi-lo+1)
	}
	out := fit(append([]byte(nil), n.durable...), size)
	whole := r.IntN(2) == 0 // as a journal that writes data first would have it
	for _, s := range n.dirty {
		for at := s.from; at < s.to; {
			next := min((at/sector+1)*sector, s.to)
			if whole || r.IntN(2) == 0 {
				if to := min(next, size, len(n.data)); at < to {
					copy(out[at:to], n.data[at:to])
				}
			}
			at = next
		}
	}
	return out
}

// fit cuts b or fills it up with zeros.
func fit(b []byte, size int) []byte {
	if size <= len(b) {
		return b[:size]
	}
	return append(b, make([]byte, size-len(b))...)
}
