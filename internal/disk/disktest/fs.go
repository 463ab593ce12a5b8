package disktest

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"sort"
	"sync"
	"syscall"
	"time"

	"github.com/redwingdb/redwing/internal/disk"
)

// FS is a file system in memory, a disk.FS. It is for use by many goroutines. A relative
// path is one below the root folder.
type FS struct {
	mu       sync.Mutex
	root     *inode
	pending  []dirOp // changes of folders that no SyncDir has made durable, oldest first
	rules    []*rule
	trace    []string
	crashed  bool
	readOnly bool
	capacity int64 // bytes of data that fit; 0: any number
}

var _ disk.FS = (*FS)(nil)

// New returns an empty file system that has the folders named, durably.
func New(dirs ...string) *FS {
	f := &FS{root: newDir(0o755)}
	for _, dir := range dirs {
		f.mkdirAll(dir)
	}
	return f
}

// Add adds a rule behind those there are.
func (f *FS) Add(r Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &rule{Rule: r})
}

// Heal takes all rules away, and what SetReadOnly and SetCapacity have set. It does not bring
// a crashed process back.
func (f *FS) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.readOnly, f.capacity = nil, false, 0
}

// SetReadOnly makes every change fail by EROFS.
func (f *FS) SetReadOnly(yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readOnly = yes
}

// SetCapacity sets how many bytes the files may hold together: a write that would go beyond
// writes what fits and fails by ENOSPC. 0 takes the limit away.
func (f *FS) SetCapacity(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.capacity = bytes
}

// Trace returns the operations of the kinds in Changes so far, as "write /data/dump.rdb":
// a rule with Ops Changes and After n meets the one at index n.
func (f *FS) Trace() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.trace)
}

// Crash ends everything that uses the file system, and returns the one that the next
// process finds: what was durable and, by the seed, some of what was not.
func (f *FS) Crash(seed uint64) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashed = true
	r := rand.New(rand.NewPCG(seed, 0x6469736b))
	mode := r.IntN(4) // nothing of what is pending, all, a beginning of it, any part
	cut := r.IntN(len(f.pending) + 1)
	for i, op := range f.pending {
		if mode == 1 || mode == 2 && i < cut || mode == 3 && r.IntN(2) == 0 {
			for _, c := range op {
				set(c.dir.durableNames, c.name, c.node)
			}
		}
	}
	return &FS{root: survivors(f.root, r, map[*inode]*inode{})}
}

// survivors copies what there is of a node behind a crash.
func survivors(n *inode, r *rand.Rand, done map[*inode]*inode) *inode {
	if c := done[n]; c != nil {
		return c // a half of a rename between folders: two names of one file
	}
	c := &inode{perm: n.perm, changed: n.changed}
	done[n] = c
	if !n.isDir() {
		c.durable = n.survive(r)
		c.data = slices.Clone(c.durable)
		return c
	}
	c.names, c.durableNames = map[string]*inode{}, map[string]*inode{}
	for _, name := range sortedNames(n.durableNames) {
		kept := survivors(n.durableNames[name], r, done)
		c.names[name], c.durableNames[name] = kept, kept
	}
	return c
}

// WriteFile puts a file there, durably and past all rules, with the folders it needs.
func (f *FS) WriteFile(name string, data []byte) {
	f.mkdirAll(path.Dir(clean(name)))
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, base, _ := f.find(name)
	n := &inode{perm: 0o644, data: slices.Clone(data), durable: slices.Clone(data)}
	dir.names[base], dir.durableNames[base] = n, n
}

// ReadFile returns what a reader would find in a file just now, past all rules.
func (f *FS) ReadFile(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.lookup("open", name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(n.data), nil
}

// Names returns the names in a folder, sorted, past all rules; none where there is no folder.
func (f *FS) Names(dir string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.lookup("open", dir)
	if err != nil {
		return nil
	}
	return sortedNames(n.names)
}

// OpenFile implements disk.FS.
func (f *FS) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.step(Open, name); err != nil {
		return nil, err
	}
	writes := flag&(os.O_WRONLY|os.O_RDWR) != 0
	if f.readOnly && (writes || flag&(os.O_CREATE|os.O_TRUNC) != 0) {
		return nil, pathError("open", name, syscall.EROFS)
	}
	dir, base, err := f.parent("open", name)
	if err != nil {
		return nil, err
	}
	n := dir.names[base]
	switch {
	case base == "":
		n = dir
	case n == nil && flag&os.O_CREATE == 0:
		return nil, pathError("open", name, syscall.ENOENT)
	case n == nil:
		n = &inode{perm: perm.Perm(), changed: time.Now()}
		f.apply(dirOp{{dir, base, n}})
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, pathError("open", name, syscall.EEXIST)
	}
	if n.isDir() && writes {
		return nil, pathError("open", name, syscall.EISDIR)
	}
	if flag&os.O_TRUNC != 0 && len(n.data) > 0 {
		n.resize(0)
	}
	return &file{fs: f, node: n, name: name, flag: flag}, nil
}

// Rename implements disk.FS.
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.step(Rename, to); err != nil {
		return linkError(from, to, err)
	}
	if f.readOnly {
		return linkError(from, to, syscall.EROFS)
	}
	oldDir, oldName, err := f.parent("rename", from)
	if err != nil {
		return linkError(from, to, err)
	}
	newDir, newName, err := f.parent("rename", to)
	if err != nil {
		return linkError(from, to, err)
	}
	n, over := oldDir.names[oldName], newDir.names[newName]
	switch {
	case n == nil:
		return linkError(from, to, syscall.ENOENT)
	case over == n:
		return nil
	case over != nil && over.isDir():
		return linkError(from, to, syscall.EEXIST)
	case over != nil && n.isDir():
		return linkError(from, to, syscall.ENOTDIR)
	}
	f.apply(dirOp{{newDir, newName, n}, {oldDir, oldName, nil}})
	return nil
}

// Remove implements disk.FS.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.step(Remove, name); err != nil {
		return err
	}
	if f.readOnly {
		return pathError("remove", name, syscall.EROFS)
	}
	n, err := f.lookup("remove", name)
	if err != nil {
		return err
	}
	if len(n.names) > 0 {
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	dir, base, _ := f.find(name)
	f.apply(dirOp{{dir, base, nil}})
	return nil
}

// Mkdir implements disk.FS.
func (f *FS) Mkdir(name string, perm fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.step(Mkdir, name); err != nil {
		return err
	}
	if f.readOnly {
		return pathError("mkdir", name, syscall.EROFS)
	}
	dir, base, err := f.parent("mkdir", name)
	if err != nil {
		return err
	}
	if base == "" || dir.names[base] != nil {
		return pathError("mkdir", name, syscall.EEXIST)
	}
	f.apply(dirOp{{dir, base, newDir(perm.Perm())}})
	return nil
}

// Stat implements disk.FS.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.step(Stat, name); err != nil {
		return nil, err
	}
	n, err := f.lookup("stat", name)
	if err != nil {
		return nil, err
	}
	return n.info(name), nil
}

// ReadDir implements disk.FS.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.step(ReadDir, name); err != nil {
		return nil, err
	}
	n, err := f.lookup("open", name)
	if err != nil {
		return nil, err
	}
	if !n.isDir() {
		return nil, pathError("readdirent", name, syscall.ENOTDIR)
	}
	var out []fs.DirEntry
	for _, base := range sortedNames(n.names) {
		out = append(out, fs.FileInfoToDirEntry(n.names[base].info(base)))
	}
	return out, nil
}

// SyncDir implements disk.FS.
func (f *FS) SyncDir(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.step(SyncDir, name); err != nil {
		return err
	}
	dir, err := f.lookup("open", name)
	if err != nil {
		return err
	}
	left := f.pending[:0]
	for _, op := range f.pending {
		var rest dirOp
		for _, c := range op {
			if c.dir == dir {
				set(dir.durableNames, c.name, c.node)
			} else {
				rest = append(rest, c)
			}
		}
		if rest != nil {
			left = append(left, rest)
		}
	}
	f.pending = left
	return nil
}

// apply makes changes of folders that are not durable yet.
func (f *FS) apply(op dirOp) {
	for _, c := range op {
		set(c.dir.names, c.name, c.node)
	}
	f.pending = append(f.pending, op)
}

// step counts an operation and lets the rules decide over it; the mutex is given up while a
// rule makes it wait. The rule that failed it is returned beside the error.
func (f *FS) step(op Op, name string) (*rule, error) {
	if f.crashed {
		return nil, ErrCrashed
	}
	if op&Changes != 0 {
		f.trace = append(f.trace, op.String()+" "+clean(name))
	}
	for _, r := range f.rules {
		if !r.meets(op, name) {
			continue
		}
		if r.Wait != nil {
			f.mu.Unlock()
			<-r.Wait
			f.mu.Lock()
			if f.crashed {
				return nil, ErrCrashed
			}
		}
		if r.Crash {
			f.crashed = true
			return r, ErrCrashed
		}
		if r.Err != nil {
			return r, pathError(op.String(), name, r.Err)
		}
		return r, nil
	}
	return nil, nil
}

// room is how many of n more bytes fit.
func (f *FS) room(n int) int {
	if f.capacity == 0 {
		return n
	}
	var used int64
	var add func(*inode)
	add = func(n *inode) {
		used += int64(len(n.data))
		for _, child := range n.names {
			add(child)
		}
	}
	add(f.root)
	return int(min(max(f.capacity-used, 0), int64(n)))
}

// find returns the folder that a path lies in and the name in it; the root has none.
// The folder is nil where there is none.
func (f *FS) find(name string) (dir *inode, base string, err error) {
	dir = f.root
	parts := split(name)
	for i, part := range parts {
		if i == len(parts)-1 {
			return dir, part, nil
		}
		next := dir.names[part]
		switch {
		case next == nil:
			return nil, "", syscall.ENOENT
		case !next.isDir():
			return nil, "", syscall.ENOTDIR
		}
		dir = next
	}
	return dir, "", nil
}

func (f *FS) parent(op, name string) (*inode, string, error) {
	dir, base, err := f.find(name)
	if err != nil {
		return nil, "", pathError(op, name, err)
	}
	return dir, base, nil
}

func (f *FS) lookup(op, name string) (*inode, error) {
	dir, base, err := f.parent(op, name)
	if err != nil {
		return nil, err
	}
	if base == "" {
		return dir, nil
	}
	if n := dir.names[base]; n != nil {
		return n, nil
	}
	return nil, pathError(op, name, syscall.ENOENT)
}

func (f *FS) mkdirAll(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir := f.root
	for _, part := range split(name) {
		if dir.names[part] == nil {
			made := newDir(0o755)
			dir.names[part], dir.durableNames[part] = made, made
		}
		dir = dir.names[part]
		if !dir.isDir() {
			panic(fmt.Sprintf("disktest: %s lies in a file", name))
		}
	}
}

func clean(name string) string { return path.Clean("/" + name) }

func split(name string) []string {
	var parts []string
	for name = clean(name); name != "/"; name = path.Dir(name) {
		parts = append(parts, path.Base(name))
	}
	slices.Reverse(parts)
	return parts
}

func sortedNames(names map[string]*inode) []string {
	out := make([]string, 0, len(names))
	for name := range names {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// linkError is what os.Rename returns.
func linkError(from, to string, err error) error {
	if errors.Is(err, ErrCrashed) {
		return err
	}
	if inner, ok := err.(*fs.PathError); ok {
		err = inner.Err
	}
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
}
