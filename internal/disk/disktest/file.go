package disktest

import (
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"
)

// file is an open file of an FS, whose mutex guards it.
type file struct {
	fs     *FS
	node   *inode
	name   string
	flag   int
	at     int
	closed bool
}

// begin is what every operation on the file does first, with the mutex held.
func (f *file) begin(op Op) (*rule, error) {
	r, err := f.fs.step(op, f.name)
	if err == nil && f.closed {
		err = pathError(op.String(), f.name, os.ErrClosed)
	}
	return r, err
}

// Name implements disk.File.
func (f *file) Name() string { return f.name }

// Read implements disk.File.
func (f *file) Read(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if _, err := f.begin(Read); err != nil {
		return 0, err
	}
	if f.node.isDir() {
		return 0, pathError("read", f.name, syscall.EISDIR)
	}
	if f.flag&os.O_WRONLY != 0 {
		return 0, pathError("read", f.name, syscall.EBADF)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if f.at >= len(f.node.data) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[f.at:])
	f.at += n
	return n, nil
}

// Write implements disk.File.
func (f *file) Write(p []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	r, err := f.begin(Write)
	if err == nil && f.flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		return 0, pathError("write", f.name, syscall.EBADF)
	}
	if err == nil && f.fs.readOnly {
		return 0, pathError("write", f.name, syscall.EROFS)
	}
	n := len(p)
	if err != nil {
		if r == nil || r.Crash || f.closed {
			return 0, err
		}
		n = min(r.Short, n)
	}
	if f.flag&os.O_APPEND != 0 {
		f.at = len(f.node.data)
	}
	// Bytes that lie over others need no room of their own.
	over := min(max(len(f.node.data)-f.at, 0), n)
	if fits := over + f.fs.room(n-over); fits < n {
		n, err = fits, pathError("write", f.name, syscall.ENOSPC)
	}
	if n > 0 {
		f.node.write(p[:n], f.at)
		f.at += n
	}
	return n, err
}

// Seek implements disk.File.
func (f *file) Seek(offset int64, whence int) (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += int64(f.at)
	case io.SeekEnd:
		offset += int64(len(f.node.data))
	}
	if offset < 0 {
		return 0, pathError("seek", f.name, syscall.EINVAL)
	}
	f.at = int(offset)
	return offset, nil
}

// Sync implements disk.File. After it has failed, what it was to sync never becomes durable.
func (f *file) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	r, err := f.begin(Sync)
	if err != nil {
		if r != nil && !r.Crash {
			f.node.dirty = nil
		}
		return err
	}
	f.node.sync()
	return nil
}

// Truncate implements disk.File.
func (f *file) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if _, err := f.begin(Truncate); err != nil {
		return err
	}
	switch {
	case size < 0 || f.flag&(os.O_WRONLY|os.O_RDWR) == 0:
		return pathError("truncate", f.name, syscall.EINVAL)
	case f.fs.readOnly:
		return pathError("truncate", f.name, syscall.EROFS)
	}
	f.node.resize(int(size))
	return nil
}

// Stat implements disk.File.
func (f *file) Stat() (fs.FileInfo, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if _, err := f.begin(Stat); err != nil {
		return nil, err
	}
	return f.node.info(f.name), nil
}

// Close implements disk.File.
func (f *file) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	_, err := f.begin(Close)
	f.closed = true
	return err
}

// info is what Stat tells about a node.
type info struct {
	name    string
	size    int64
	mode    fs.FileMode
	changed time.Time
}

func (n *inode) info(name string) fs.FileInfo {
	return info{path.Base(clean(name)), int64(len(n.data)), n.perm, n.changed}
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.changed }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
