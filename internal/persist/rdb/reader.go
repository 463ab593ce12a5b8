package rdb

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Errors of a Reader; each is wrapped with the place.
var (
	// ErrFormat is returned for bytes that are no RDB, or a damaged one.
	ErrFormat = errors.New("rdb: damaged or foreign data")
	// ErrChecksum is returned when the checksum at the end is not that of the bytes.
	ErrChecksum = errors.New("rdb: wrong checksum")
	// ErrUnsupported is returned for what RDB can hold and this server cannot.
	ErrUnsupported = errors.New("rdb: unsupported content")
)

// ReaderOptions are the settings of a Reader.
type ReaderOptions struct {
	// MaxString bounds the length of a string. 0: 512 MiB.
	MaxString int64
	// MaxDB is the highest database number accepted.
	MaxDB int
	// Partial lets a stream be a piece of one, whose counters are those of the whole.
	Partial bool
}

// Event is what Reader.Next has found.
type Event uint8

const (
	EventAux      Event = iota + 1 // Aux: a name and a value
	EventResize                    // Sizes of the database that begins
	EventFunction                  // Function: the source of a function library
	EventKey                       // Key; its value is to be had by Value
	EventEnd                       // the end, checksum verified
)

// Reader reads an RDB from a stream. Next gives one thing after the other; what the
// fields hold is valid until the next call. It takes exactly the bytes of the RDB.
type Reader struct {
	scratch
	o       ReaderOptions
	src     *bufio.Reader
	body    bytes.Reader // behind src, of a body
	crc     uint64
	at      int64 // bytes taken
	version int
	db      int
	begun   bool
	ended   bool
	pending bool // the value of Key is not read yet
	capture capture

	Aux      struct{ Name, Value string }
	Sizes    struct{ DB, Keys, Expires uint64 }
	Function []byte
	Key      Key

	packed []byte
}

// NewReader returns a reader of src.
func NewReader(src *bufio.Reader, o ReaderOptions) *Reader {
	if o.MaxString <= 0 {
		o.MaxString = 512 << 20
	}
	return &Reader{o: o, src: src}
}

// Version returns the version of the RDB, once Next was called.
func (r *Reader) Version() int { return r.version }

// Offset returns how many bytes were taken.
func (r *Reader) Offset() int64 { return r.at }

// Next reads up to the next thing that matters.
func (r *Reader) Next() (Event, error) {
	if err := r.Value(Discard{}); err != nil && !errors.Is(err, ErrEmpty) {
		return 0, err
	}
	ev, err := r.next()
	if err != nil {
		return 0, r.wrap(err)
	}
	return ev, nil
}

// wrap says where an error was met.
func (r *Reader) wrap(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("rdb at byte %d: %w", r.at, err)
}

func (r *Reader) next() (Event, error) {
	if !r.begun {
		if err := r.header(); err != nil {
			return 0, err
		}
		r.begun = true
	}
	if r.ended {
		return EventEnd, nil
	}
	r.Key.ExpireAt, r.Key.Idle, r.Key.Freq = 0, -1, -1
	for attrs := 0; ; attrs++ {
		op, err := r.byte()
		if err != nil {
			return 0, err
		}
		// Attributes precede a key; Redis writes two at most.
		if attribute := op == opExpire || op == opExpireMS || op == opIdle || op == opFreq; attribute && attrs >= 4 {
			return 0, fmt.Errorf("%w: too many attributes before a key", ErrFormat)
		} else if !attribute && attrs > 0 && op >= opSlotInfo {
			return 0, fmt.Errorf("%w: attributes without a key", ErrFormat)
		}
		switch op {
		case opExpire:
			b, err := r.fixed(4)
			if err != nil {
				return 0, err
			}
			if r.Key.ExpireAt, err = expireAt(int64(int32(binary.LittleEndian.Uint32(b))) * 1000); err != nil {
				return 0, err
			}
		case opExpireMS:
			b, err := r.fixed(8)
			if err != nil {
				return 0, err
			}
			if r.Key.ExpireAt, err = expireAt(int64(binary.LittleEndian.Uint64(b))); err != nil {
				return 0, err
			}
		case opIdle:
			n, err := r.plainLength()
			if err != nil {
				return 0, err
			}
			if n > 1<<62 {
				return 0, fmt.Errorf("%w: idle time %d", ErrFormat, n)
			}
			r.Key.Idle = int64(n)
		case opFreq:
			c, err := r.byte()
			if err != nil {
				return 0, err
			}
			r.Key.Freq = int(c)
		case opSelectDB:
			n, err := r.plainLength()
			if err != nil {
				return 0, err
			}
			if n > uint64(r.o.MaxDB) {
				return 0, fmt.Errorf("%w: database %d, the highest here is %d", ErrUnsupported, n, r.o.MaxDB)
			}
			r.db = int(n)
			attrs = -1
		case opResizeDB:
			return r.resize()
		case opSlotInfo: // slot, keys, volatile keys (redis 8): hints
			for range 3 {
				if _, err := r.plainLength(); err != nil {
					return 0, err
				}
			}
			attrs = -1
		case opAux:
			return r.aux()
		case opFunction2:
			r.Function, err = r.str(r.Function[:0])
			return EventFunction, err
		case opFunctionPre:
			return 0, fmt.Errorf("%w: a function of a preview of redis 7.0", ErrUnsupported)
		case opModuleAux:
			id, err := r.plainLength()
			if err != nil {
				return 0, err
			}
			return 0, fmt.Errorf("%w: data of module %s", ErrUnsupported, moduleName(id))
		case opEOF:
			return r.end()
		default:
			return r.key(Kind(op))
		}
	}
}

// expireAt checks an expiry: Redis writes no 0 and no negative one, but a file may
// hold a moment before 1970; such a key is expired for sure.
func expireAt(ms int64) (int64, error) {
	if ms <= 0 {
		return 1, nil
	}
	return ms, nil
}

func (r *Reader) header() error {
	b, err := r.fixed(9)
	if err != nil {
		return err
	}
	v, err := strconv.ParseUint(string(b[5:]), 10, 16)
	if string(b[:5]) != "REDIS" || err != nil {
		return fmt.Errorf("%w: no RDB header", ErrFormat)
	}
	if v < 1 || v > VersionLatest {
		return fmt.Errorf("%w: RDB version %d", ErrUnsupported, v)
	}
	r.version = int(v)
	return nil
}

func (r *Reader) resize() (_ Event, err error) {
	r.Sizes.DB = uint64(r.db)
	if r.Sizes.Keys, err = r.plainLength(); err != nil {
		return 0, err
	}
	if r.Sizes.Expires, err = r.plainLength(); err != nil {
		return 0, err
	}
	return EventResize, nil
}

func (r *Reader) aux() (Event, error) {
	name, err := r.str(nil)
	if err != nil {
		return 0, err
	}
	value, err := r.str(nil)
	if err != nil {
		return 0, err
	}
	r.Aux.Name, r.Aux.Value = string(name), string(value)
	return EventAux, nil
}

func (r *Reader) key(kind Kind) (_ Event, err error) {
	if !kind.known() {
		return 0, fmt.Errorf("%w: type or opcode %d", ErrFormat, kind)
	}
	r.Key.DB, r.Key.Kind = r.db, kind
	if r.Key.Key, err = r.str(r.Key.Key[:0]); err != nil {
		return 0, err
	}
	if kind == kindModule || kind == kindModule2 {
		return 0, fmt.Errorf("%w: key %.64q is a %s", ErrUnsupported, r.Key.Key, kind)
	}
	r.pending = true
	return EventKey, nil
}

func (r *Reader) end() (Event, error) {
	want := r.crc
	if r.version >= 5 {
		b, err := r.fixed(8)
		if err != nil {
			return 0, err
		}
		// A zero says that the writer computed none.
		if sum := binary.LittleEndian.Uint64(b); sum != 0 && sum != want {
			return 0, fmt.Errorf("%w: %016x, the bytes give %016x", ErrChecksum, sum, want)
		}
	}
	r.ended = true
	return EventEnd, nil
}

func (r *Reader) byte() (byte, error) {
	c, err := r.src.ReadByte()
	if err != nil {
		return 0, err
	}
	one := [1]byte{c}
	r.took(one[:])
	return c, nil
}

// fixed returns the next n bytes, n at most 16; they are valid until the next read.
func (r *Reader) fixed(n int) ([]byte, error) {
	b, err := r.src.Peek(n)
	if err != nil {
		return nil, err
	}
	r.took(b)
	_, _ = r.src.Discard(n) // they are there
	return b, nil
}

// took counts bytes that were read.
func (r *Reader) took(b []byte) {
	r.crc = updateCRC(r.crc, b)
	r.at += int64(len(b))
	if r.capture.on {
		r.capture.take(b)
	}
}

// length reads a length, or the kind of a special string.
func (r *Reader) length() (n uint64, isSpecial bool, err error) {
	c, err := r.byte()
	if err != nil {
		return 0, false, err
	}
	switch {
	case c>>6 == len6:
		return uint64(c & 63), false, nil
	case c>>6 == len14:
		low, err := r.byte()
		return uint64(c&63)<<8 | uint64(low), false, err
	case c == len32:
		b, err := r.fixed(4)
		if err != nil {
			return 0, false, err
		}
		return uint64(binary.BigEndian.Uint32(b)), false, nil
	case c == len64:
		b, err := r.fixed(8)
		if err != nil {
			return 0, false, err
		}
		return binary.BigEndian.Uint64(b), false, nil
	case c>>6 == special:
		return uint64(c & 63), true, nil
	}
	return 0, false, fmt.Errorf("%w: length byte 0x%02x", ErrFormat, c)
}

func (r *Reader) plainLength() (uint64, error) {
	n, isSpecial, err := r.length()
	if err == nil && isSpecial {
		return 0, fmt.Errorf("%w: a string where a length must stand", ErrFormat)
	}
	return n, err
}

// str reads a string and appends it to dst.
func (r *Reader) str(dst []byte) ([]byte, error) {
	if cap(dst) > 1<<20 {
		dst = nil // one large value does not hold its memory for the rest
	}
	n, isSpecial, err := r.length()
	if err != nil {
		return nil, err
	}
	if !isSpecial {
		return r.raw(dst, n)
	}
	switch n {
	case strInt8:
		b, err := r.byte()
		return strconv.AppendInt(dst, int64(int8(b)), 10), err
	case strInt16:
		b, err := r.fixed(2)
		if err != nil {
			return nil, err
		}
		return strconv.AppendInt(dst, int64(int16(binary.LittleEndian.Uint16(b))), 10), nil
	case strInt32:
		b, err := r.fixed(4)
		if err != nil {
			return nil, err
		}
		return strconv.AppendInt(dst, int64(int32(binary.LittleEndian.Uint32(b))), 10), nil
	case strLZF:
		return r.lzf(dst)
	}
	return nil, fmt.Errorf("%w: string encoding %d", ErrFormat, n)
}

func (r *Reader) lzf(dst []byte) ([]byte, error) {
	packed, err := r.plainLength()
	if err != nil {
		return nil, err
	}
	n, err := r.plainLength()
	if err != nil {
		return nil, err
	}
	if n > uint64(r.o.MaxString) {
		return nil, fmt.Errorf("%w: string of %d bytes", ErrUnsupported, n)
	}
	if r.packed, err = r.raw(r.packed[:0], packed); err != nil {
		return nil, err
	}
	dst, err = decompress(dst, r.packed, int(n))
	if cap(r.packed) > 1<<20 {
		r.packed = nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return dst, nil
}

// raw appends the next n bytes to dst. Memory is taken as bytes arrive, so that a
// length alone takes none.
func (r *Reader) raw(dst []byte, n uint64) ([]byte, error) {
	if n > uint64(r.o.MaxString) {
		return nil, fmt.Errorf("%w: string of %d bytes", ErrUnsupported, n)
	}
	for left := int(n); left > 0; {
		if r.src.Buffered() == 0 {
			if _, err := r.src.Peek(1); err != nil {
				return nil, err
			}
		}
		b, _ := r.src.Peek(min(left, r.src.Buffered()))
		r.took(b)
		dst = append(dst, b...)
		left -= len(b)
		_, _ = r.src.Discard(len(b))
	}
	return dst, nil
}

// moduleName decodes a module's id: nine characters of six bits, ten bits of version.
func moduleName(id uint64) string {
	const set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var name [9]byte
	for i := range name {
		name[i] = set[id>>(58-6*i)&63]
	}
	return string(name[:])
}
