package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/redwingdb/redwing/internal/engine/bulk"
)

// flushBytes is how much is gathered before it is written.
const flushBytes = 64 << 10

// compressMin is the shortest string that is tried for compression (as Redis).
const compressMin = 20

// compressMax bounds what is compressed: the table of LZF holds 31-bit places.
const compressMax = 1 << 30

// WriterOptions are the settings of a Writer.
type WriterOptions struct {
	// Version is that of the file, Version to VersionLatest. 0: Version. What a value is
	// written as is the caller's choice, by Kind.Version.
	Version  int
	Compress bool // strings by LZF (rdbcompression)
	Checksum bool // CRC64 at the end (rdbchecksum); a zero otherwise
	// Sizes, if set, gives the numbers of keys and of volatile keys of a database: a
	// hint for the loader.
	Sizes func(db int) (keys, expires uint64)
}

// Writer writes one RDB file or stream, or one payload of DUMP. A value is written by Key
// and then the methods of its kind (valuewriter.go), which return nothing; Settle tells
// how it went. It gathers up to 64 KiB; an error of the underlying writer is returned by
// the call that met it and by all later ones.
type Writer struct {
	o     WriterOptions
	w     io.Writer // nil: all stays in buf
	buf   []byte
	crc   uint64
	n     int64 // bytes written
	db    int
	sized map[int]bool
	lzf   *lzfTable
	tmp   []byte
	err   error

	raised int // the version that the content needs, if above that of the header
}

// headerBytes is the length of the header: "REDIS" and four digits.
const headerBytes = 9

func header(version int) []byte { return fmt.Appendf(nil, "REDIS%04d", version) }

// NewWriter returns a writer to w that has written the header.
func NewWriter(w io.Writer, o WriterOptions) *Writer {
	if o.Version == 0 {
		o.Version = Version
	}
	wr := &Writer{o: o, w: w, db: -1, sized: map[int]bool{}, buf: make([]byte, 0, flushBytes+flushBytes/4)}
	wr.buf = append(wr.buf, header(o.Version)...)
	return wr
}

// Raise says that a value of a later version is coming, for a caller who can write the
// header anew when all is written (Header). It does nothing if version is not above that
// of the header.
func (w *Writer) Raise(version int) {
	if version > w.o.Version {
		w.raised = max(w.raised, version)
	}
}

// Header returns, behind Close, what must be written over the beginning of the file since
// the version was raised, or nil: the checksum is that of the file with it.
func (w *Writer) Header() []byte {
	if w.raised == 0 {
		return nil
	}
	return header(w.raised)
}

// checksum returns the checksum of what was written, with the header that it will have.
func (w *Writer) checksum() uint64 {
	if w.raised == 0 {
		return w.crc
	}
	// The checksum is linear: that of both files' difference is added.
	delta := header(w.raised)
	for i, c := range header(w.o.Version) {
		delta[i] ^= c
	}
	return w.crc ^ shiftCRC(updateCRC(0, delta), w.n-headerBytes)
}

// Function writes the source of a function library. REQUIRES: no key was written yet.
func (w *Writer) Function(code []byte) error {
	w.buf = append(w.buf, opFunction2)
	w.str(code)
	return w.Settle()
}

// Aux writes an auxiliary field. REQUIRES: no key was written yet.
func (w *Writer) Aux(name, value string) error {
	w.buf = append(w.buf, opAux)
	w.str([]byte(name))
	w.str([]byte(value))
	return w.Settle()
}

// Key writes what stands in front of a value, and the database where that changes. The
// value must follow.
func (w *Writer) Key(k Key) {
	if k.DB != w.db {
		w.db = k.DB
		w.buf = append(w.buf, opSelectDB)
		w.length(uint64(k.DB))
		if w.o.Sizes != nil && !w.sized[k.DB] {
			w.sized[k.DB] = true
			keys, expires := w.o.Sizes(k.DB)
			w.buf = append(w.buf, opResizeDB)
			w.length(keys)
			w.length(expires)
		}
	}
	if k.ExpireAt != 0 {
		w.buf = append(w.buf, opExpireMS)
		w.millis(k.ExpireAt)
	}
	if k.Idle >= 0 {
		w.buf = append(w.buf, opIdle)
		w.length(uint64(k.Idle))
	}
	if k.Freq >= 0 {
		w.buf = append(w.buf, opFreq, byte(k.Freq))
	}
	w.buf = append(w.buf, byte(k.Kind))
	w.str(k.Key)
}

// Close writes the end of the file and what was gathered. It does not close the
// underlying writer.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	w.buf = append(w.buf, opEOF)
	w.flush()
	var sum uint64
	if w.o.Checksum {
		sum = w.checksum()
	}
	w.buf = binary.LittleEndian.AppendUint64(w.buf, sum)
	w.flush()
	if w.err != nil {
		return w.err
	}
	w.err = errors.New("rdb: writer closed")
	return nil
}

// Written returns the number of bytes that have gone to the underlying writer.
func (w *Writer) Written() int64 { return w.n }

// Settle is called behind each value. It returns the first error of the underlying writer.
func (w *Writer) Settle() error {
	if len(w.buf) >= flushBytes {
		w.flush()
	}
	return w.err
}

func (w *Writer) flush() {
	if w.w == nil {
		return
	}
	w.direct(w.buf)
	w.buf = w.buf[:0]
}

func (w *Writer) direct(b []byte) {
	if w.err != nil || len(b) == 0 {
		return
	}
	if w.o.Checksum {
		w.crc = updateCRC(w.crc, b)
	}
	var n int
	n, w.err = w.w.Write(b)
	w.n += int64(n)
}

// length appends a length in its shortest form.
func (w *Writer) length(n uint64) { w.buf = appendLength(w.buf, n) }

func appendLength(b []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(b, byte(n))
	case n < 1<<14:
		return append(b, len14<<6|byte(n>>8), byte(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, len32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, len64), n)
}

// str writes a string: as an integer or compressed where that is shorter.
func (w *Writer) str(s []byte) {
	if len(s) <= 11 {
		if b, ok := appendIntString(w.buf, s); ok {
			w.buf = b
			return
		}
	}
	if w.o.Compress && len(s) > compressMin && len(s) <= compressMax {
		if w.lzf == nil {
			w.lzf = new(lzfTable)
		}
		var ok bool
		if w.tmp, ok = w.lzf.compress(w.tmp[:0], s, len(s)-4); ok {
			w.buf = append(w.buf, special<<6|strLZF)
			w.length(uint64(len(w.tmp)))
			w.length(uint64(len(s)))
			w.bytes(w.tmp)
			return
		}
	}
	w.length(uint64(len(s)))
	w.bytes(s)
}

// bytes appends b, past the buffer if it is long.
func (w *Writer) bytes(b []byte) {
	if len(b) < flushBytes/4 || w.w == nil {
		w.buf = bulk.Append(w.buf, b)
		return
	}
	w.flush()
	w.direct(b)
	if cap(w.tmp) > 1<<20 {
		w.tmp = nil
	}
}

// appendIntString appends s as an integer if it is the decimal form of one that fits
// 32 bits.
func appendIntString(b, s []byte) (_ []byte, ok bool) {
	if len(s) == 0 || s[0] != '-' && (s[0] < '0' || s[0] > '9') {
		return b, false
	}
	v, err := strconv.ParseInt(string(s), 10, 32)
	var digits [12]byte
	if err != nil || string(strconv.AppendInt(digits[:0], v, 10)) != string(s) {
		return b, false
	}
	switch {
	case v == int64(int8(v)):
		return append(b, special<<6|strInt8, byte(v)), true
	case v == int64(int16(v)):
		return append(b, special<<6|strInt16, byte(v), byte(v>>8)), true
	}
	return binary.LittleEndian.AppendUint32(append(b, special<<6|strInt32), uint32(v)), true
}
