package rdb

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/redwingdb/redwing/internal/engine/bulk"
)

// A payload is what DUMP gives and RESTORE takes (cluster.c, createDumpPayload):
//
//	| kind u8 | value | version u16 | crc64 of all before u64 |
const footerBytes = 10

// ErrPayload is returned for a payload whose version or checksum is wrong.
var ErrPayload = errors.New("rdb: payload of another version, or damaged")

// NewPayload returns a writer of one payload, into memory: the value of kind k is to
// follow. The payload is appended to dst.
func NewPayload(dst []byte, k Kind, compress bool) *Writer {
	return &Writer{o: WriterOptions{Compress: compress}, buf: append(dst, byte(k)), n: int64(len(dst))}
}

// NewBody returns a writer of values alone, into memory, without what stands in front of
// them.
func NewBody() *Writer { return &Writer{} }

// Body returns what was written, good until the next call of a method.
func (w *Writer) Body() []byte { return w.buf }

// ResetBody begins anew in the same memory.
func (w *Writer) ResetBody() { w.buf = w.buf[:0] }

// Append appends bytes that another writer has made.
func (w *Writer) Append(b []byte) { w.buf = bulk.Append(w.buf, b) }

// Payload writes the footer and returns dst with the payload. version is the one of RDB
// that the payload claims, at least its kind's.
func (w *Writer) Payload(version int) []byte {
	w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(version))
	return binary.LittleEndian.AppendUint64(w.buf, updateCRC(0, w.buf[w.n:]))
}

// NewPayloadReader checks the footer of the payload b (ErrPayload) and returns a reader
// that has its value ready for Value.
func NewPayloadReader(b []byte, o ReaderOptions) (*Reader, error) {
	if len(b) < footerBytes {
		return nil, ErrPayload
	}
	body, foot := b[:len(b)-footerBytes], b[len(b)-footerBytes:]
	if v := int(binary.LittleEndian.Uint16(foot)); v > VersionLatest {
		return nil, fmt.Errorf("%w: version %d", ErrPayload, v)
	}
	if sum := binary.LittleEndian.Uint64(foot[2:]); sum != updateCRC(0, b[:len(b)-8]) {
		return nil, ErrPayload
	}
	if len(body) == 0 {
		return nil, fmt.Errorf("%w: no type", ErrFormat)
	}
	r := NewReader(nil, o)
	return r, r.UseBody(Kind(body[0]), body[1:])
}

// PayloadVersion returns the version of RDB that a payload claims, 0 where it has no footer.
func PayloadVersion(b []byte) int {
	if len(b) < footerBytes {
		return 0
	}
	return int(binary.LittleEndian.Uint16(b[len(b)-footerBytes:]))
}

// UseBody makes b, a value of kind k without what stands in front of it, the next to be
// read by Value. Key then has the kind alone.
func (r *Reader) UseBody(k Kind, b []byte) error {
	switch {
	case !k.known():
		return fmt.Errorf("%w: type %d", ErrFormat, k)
	case k == kindModule || k == kindModule2:
		return fmt.Errorf("%w: a %s", ErrUnsupported, k)
	}
	r.body.Reset(b)
	if r.src == nil {
		r.src = bufio.NewReaderSize(&r.body, 4096)
	} else {
		r.src.Reset(&r.body)
	}
	r.at, r.begun, r.pending = 0, true, true
	r.Key = Key{Kind: k, Idle: -1, Freq: -1}
	return nil
}
