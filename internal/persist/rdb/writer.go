package rdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// flushBytes is how much is gathered before it is written.
const flushBytes = 64 << 10

// compressMin is the shortest string that is tried for compression (as Redis).
const compressMin = 20

// compressMax bounds what is compressed: the table of LZF holds 31-bit places.
const compressMax = 1 << 30

// Key is one key with its value.
type Key struct {
	DB       int
	Key      []byte
	Value    []byte
	ExpireAt int64 // Unix milliseconds, 0: none
	Idle     int64 // seconds, written if positive; -1 from a reader: not given
	Freq     int   // LFU counter; -1: not given
}

// WriterOptions are the settings of a Writer.
type WriterOptions struct {
	Compress bool // strings by LZF (rdbcompression)
	Checksum bool // CRC64 at the end (rdbchecksum); a zero otherwise
	// Sizes, if set, gives the numbers of keys and of volatile keys of a database: a
	// hint for the loader.
	Sizes func(db int) (keys, expires uint64)
}

// Writer writes one RDB file or stream. It gathers up to 64 KiB; an error of the
// underlying writer is returned by the call that met it and by all later ones.
type Writer struct {
	o     WriterOptions
	w     io.Writer
	buf   []byte
	crc   uint64
	n     int64 // bytes written
	db    int
	sized map[int]bool
	lzf   *lzfTable
	tmp   []byte
	err   error
}

// NewWriter returns a writer to w that has written the header.
func NewWriter(w io.Writer, o WriterOptions) *Writer {
	wr := &Writer{o: o, w: w, db: -1, sized: map[int]bool{}, buf: make([]byte, 0, flushBytes+flushBytes/4)}
	wr.buf = fmt.Appendf(wr.buf, "REDIS%04d", Version)
	return wr
}

// Aux writes an auxiliary field. REQUIRES: no key was written yet.
func (w *Writer) Aux(name, value string) error {
	w.buf = append(w.buf, opAux)
	w.str([]byte(name))
	w.str([]byte(value))
	return w.settle()
}

// Key writes a key with a string value, and its database where that changes.
func (w *Writer) Key(k Key) error {
	if w.err != nil {
		return w.err
	}
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
		w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(k.ExpireAt))
	}
	if k.Idle > 0 {
		w.buf = append(w.buf, opIdle)
		w.length(uint64(k.Idle))
	}
	w.buf = append(w.buf, typeString)
	w.str(k.Key)
	w.str(k.Value)
	return w.settle()
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
		sum = w.crc
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

func (w *Writer) settle() error {
	if len(w.buf) >= flushBytes {
		w.flush()
	}
	return w.err
}

func (w *Writer) flush() {
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
	if len(b) < flushBytes/4 {
		w.buf = append(w.buf, b...)
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
