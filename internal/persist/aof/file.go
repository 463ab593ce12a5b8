package aof

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// appendFile is the increment being written: what is to be written is gathered in buf, and
// its checksum is reckoned on the way. It belongs to one goroutine.
//
//	[ on disk .. synced | written .. size ]  buf: [ whole blocks .. whole | begun ]
type appendFile struct {
	f      disk.File
	size   int64 // bytes handed to the system
	synced int64 // of those, what is known to be on disk
	whole  int64 // end of the last whole block, in buf or not
	cut    int64 // end of the last whole block handed over: what a failed write is cut back to

	buf    []byte
	sum    uint64 // of the file and of buf up to summed
	summed int

	selected bool // it holds a SELECT: what follows has a database
	checked  bool // nothing has come since its last check
}

// createFile makes an empty increment with its head, on disk.
func createFile(fsys disk.FS, path string, offset int64, mark string) (*appendFile, error) {
	f, err := fsys.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	a := &appendFile{f: f}
	a.buf = append(a.buf, headLine...)
	a.mark(mark)
	a.check(offset)
	if err = a.flush(); err == nil {
		err = a.sync()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), fsys.Remove(path))
	}
	return a, nil
}

// openFile goes on with an increment that has size bytes with checksum sum.
func openFile(fsys disk.FS, path string, size int64, sum uint64, offset int64, mark string) (*appendFile, error) {
	f, err := fsys.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	a := &appendFile{f: f, size: size, whole: size, cut: size, sum: sum}
	// What was there before this process may not be on disk yet; from here on it is.
	a.mark(mark)
	a.check(offset)
	if err = a.flush(); err == nil {
		err = a.sync()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return a, nil
}

// end returns the position behind buf.
func (a *appendFile) end() int64 { return a.size + int64(len(a.buf)) }

// blockEnd says that what has been added so far ends with a whole block.
func (a *appendFile) blockEnd() { a.whole = a.end() }

// annotate adds a line between two blocks.
func (a *appendFile) annotate(line []byte) {
	a.buf = append(a.buf, line...)
	a.whole = a.end()
	a.checked = false
}

// mark adds the line that says whose stream follows, none for "".
func (a *appendFile) mark(mark string) {
	if mark != "" && len(mark) < maxAnnotation-len(markPrefix)-2 {
		a.annotate([]byte(markPrefix + mark + "\r\n"))
	}
}

// check adds a check for what has come so far, which ends with a whole block.
func (a *appendFile) check(offset int64) {
	a.sum = rdb.CRC64(a.sum, a.buf[a.summed:])
	from := len(a.buf)
	a.buf = appendCheck(a.buf, check{pos: a.end(), synced: a.synced, offset: offset}, a.sum)
	a.sum = rdb.CRC64(a.sum, a.buf[from:])
	a.summed = len(a.buf)
	a.whole = a.end()
	a.checked = true
}

// selectDB puts a SELECT of db into buf at from.
func (a *appendFile) selectDB(from, db int) {
	tail := append([]byte(nil), a.buf[from:]...)
	digits := strconv.Itoa(db)
	a.buf = fmt.Appendf(a.buf[:from], "*2\r\n$6\r\nSELECT\r\n$%d\r\n%s\r\n", len(digits), digits)
	a.buf = append(a.buf, tail...)
	a.selected = true
}

// maxKept is the largest buffer that is kept for the next bytes.
const maxKept = 4 << 20

// flush writes buf. After an error the file has been cut back to its last whole block as
// far as the system allows; it is not to be written to again.
func (a *appendFile) flush() error {
	if len(a.buf) == 0 {
		return nil
	}
	a.sum = rdb.CRC64(a.sum, a.buf[a.summed:])
	a.summed = 0
	n, err := a.f.Write(a.buf)
	if err == nil && n < len(a.buf) {
		err = fmt.Errorf("aof: %d of %d bytes were written", n, len(a.buf))
	}
	if err != nil {
		if n > 0 {
			err = errors.Join(err, a.f.Truncate(a.cut))
		}
		return err
	}
	a.size += int64(n)
	a.cut = a.whole
	if a.buf = a.buf[:0]; cap(a.buf) > maxKept {
		a.buf = nil
	}
	return nil
}

// sync makes what has been written survive a crash.
func (a *appendFile) sync() error {
	if a.synced == a.size {
		return nil
	}
	if err := a.f.Sync(); err != nil {
		return err
	}
	a.synced = a.size
	return nil
}
