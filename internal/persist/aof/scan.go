package aof

import (
	"errors"
	"fmt"
	"io"

	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// errTorn says that a file ends before what it has begun.
var errTorn = errors.New("unexpected end of file")

// errFormat says that a file holds what no AOF holds.
var errFormat = errors.New("bad file format")

// maxCount bounds the words of a request: more are no request but damage.
const maxCount = 1 << 28

// request finds the request at the start of b, written as the format wants it and no
// other way. n is its length, 0 if b holds no more than a part of it; need is then how
// many bytes there must be at least. Words are appended to args and alias b.
func request(b []byte, args [][]byte) (_ [][]byte, n, need int, err error) {
	count, at, err := number(b, 0, '*')
	if err != nil || at == 0 {
		return args, 0, len(b) + 1, err
	}
	if count == 0 || count > maxCount {
		return args, 0, 0, errFormat
	}
	for range count {
		size, next, err := number(b, at, '$')
		if err != nil || next == 0 {
			return args, 0, len(b) + 1, err
		}
		end := next + size
		if end+2 > len(b) {
			return args, 0, end + 2, nil
		}
		if b[end] != '\r' || b[end+1] != '\n' {
			return args, 0, 0, errFormat
		}
		args = append(args, b[next:end:end])
		at = end + 2
	}
	return args, at, 0, nil
}

// number reads a line of a sign and digits at b[at]. next is the index behind it, 0 if the
// line has no end yet.
func number(b []byte, at int, sign byte) (v, next int, err error) {
	if at >= len(b) {
		return 0, 0, nil
	}
	if b[at] != sign {
		return 0, 0, errFormat
	}
	for i := at + 1; i < len(b); i++ {
		switch c := b[i]; {
		case c >= '0' && c <= '9':
			if v = v*10 + int(c-'0'); v > 1<<40 {
				return 0, 0, errFormat
			}
		case c == '\r' && i > at+1:
			if i+1 == len(b) {
				return 0, 0, nil
			}
			if b[i+1] != '\n' {
				return 0, 0, errFormat
			}
			return v, i + 2, nil
		default:
			return 0, 0, errFormat
		}
	}
	return 0, 0, nil
}

// source is a file that is read from front to back.
type source struct {
	in   io.Reader
	pos  int64 // of buf[at] in the file
	left int64 // bytes of the file behind buf
	sum  uint64
	buf  []byte
	at   int
	got  func(n int) // told of bytes read; may be nil
}

const readBytes = 256 << 10

// rest returns what has been read and not yet been taken.
func (s *source) rest() []byte { return s.buf[s.at:] }

// fill reads more, so that rest has at least need bytes. It returns errTorn where the file
// does not have them.
func (s *source) fill(need int) error {
	if int64(need-len(s.rest())) > s.left {
		return errTorn
	}
	if s.at > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.at:])]
		s.at = 0
	}
	if room := max(need, readBytes); cap(s.buf) < room {
		s.buf = append(make([]byte, 0, max(room, min(2*cap(s.buf), need+readBytes))), s.buf...)
	}
	for len(s.buf) < need {
		n, err := s.in.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		s.left -= int64(n)
		if s.got != nil {
			s.got(n)
		}
		if len(s.buf) >= need {
			return nil
		}
		if err == io.EOF {
			s.left = 0
			return errTorn
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take goes on behind n bytes of rest, and returns them; they are valid until the next
// fill.
func (s *source) take(n int) []byte {
	b := s.buf[s.at : s.at+n]
	s.sum = rdb.CRC64(s.sum, b)
	s.at += n
	s.pos += int64(n)
	return b
}

// line returns the annotation at the start of rest, with its line end.
func (s *source) line() ([]byte, error) {
	for i := 0; ; i++ {
		if i == maxAnnotation {
			return nil, errFormat
		}
		if i == len(s.rest()) {
			if err := s.fill(i + 1); err != nil {
				return nil, err
			}
		}
		if s.rest()[i] != '\n' {
			continue
		}
		if i == 0 || s.rest()[i-1] != '\r' {
			return nil, errFormat
		}
		return s.rest()[:i+1], nil
	}
}

// next returns the request at the start of rest and its bytes.
func (s *source) next(args [][]byte) (_ [][]byte, raw []byte, err error) {
	for {
		words, n, need, err := request(s.rest(), args)
		if err != nil {
			return words, nil, err
		}
		if n > 0 {
			return words, s.rest()[:n], nil
		}
		if err := s.fill(need); err != nil {
			return words, nil, err
		}
	}
}

// where wraps an error with its place.
func where(name string, pos int64, err error) error {
	return fmt.Errorf("aof: %s at offset %d: %w", name, pos, err)
}
