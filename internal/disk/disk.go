// Package disk is what files that must survive a crash are written through: a small file
// system that tests can replace by one that forgets what was not synced, and the one safe
// way to put a file in the place of another. For what need not survive one there are
// files without a name.
package disk

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is an open file. Reads and writes go on from where the last one ended; those of a
// file opened with os.O_APPEND go to its end.
type File interface {
	io.Reader
	io.Writer
	io.Seeker
	io.Closer
	// Sync makes what was written, and the length, survive a crash.
	Sync() error
	// Truncate cuts the file or fills it up with zeros.
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
	// Name is the path that the file was opened by.
	Name() string
}

// FS is a file system. Its errors are those of package os: *fs.PathError around a
// syscall.Errno, so that errors.Is(err, fs.ErrNotExist) holds. Names are paths of the
// system. A rename, a new file and a removal survive a crash once SyncDir of their folder
// has returned.
type FS interface {
	// OpenFile is os.OpenFile.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	Mkdir(name string, perm fs.FileMode) error
	Stat(name string) (fs.FileInfo, error)
	// ReadDir returns the entries of a folder, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// SyncDir makes what was made, renamed and removed in a folder survive a crash.
	SyncDir(name string) error
}

// OS is the machine's file system.
type OS struct{}

// OpenFile implements FS.
func (OS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err // a nil *os.File in a File would not be nil
	}
	return f, nil
}

// Rename implements FS.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FS.
func (OS) Remove(name string) error { return os.Remove(name) }

// Mkdir implements FS.
func (OS) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(name, perm) }

// Stat implements FS.
func (OS) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }

// ReadDir implements FS.
func (OS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// SyncDir implements FS.
func (OS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Replace puts a file with what write writes in the place of path: after a crash there is
// the old one or the new one, whole, and after Replace has returned nil the new one. The
// new file is written beside path under the name temp, which is removed on an error. write
// may write as much as it likes; f is not buffered.
func Replace(fsys FS, path, temp string, perm fs.FileMode, write func(f File) error) (err error) {
	dir := filepath.Dir(path)
	temp = filepath.Join(dir, filepath.Base(temp))
	f, err := fsys.OpenFile(temp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if err == nil {
			return
		}
		if !closed {
			_ = f.Close() // the first error counts
		}
		_ = fsys.Remove(temp) // it is already gone if the rename went through
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	closed = true
	if err := f.Close(); err != nil {
		return err
	}
	if err := fsys.Rename(temp, path); err != nil {
		return err
	}
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("sync of %s: %w", dir, err)
	}
	return nil
}
