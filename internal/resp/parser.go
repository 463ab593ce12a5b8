package resp

import (
	"bytes"
	"strconv"
)

// Limits of requests that no setting changes (Redis 7.2, networking.c).
const (
	// MaxArgs is the largest number of arguments of a request.
	MaxArgs = 1 << 20
	// MaxInline is the longest inline request, and the longest count or length line,
	// that is waited for.
	MaxInline = 64 << 10
	// DefaultMaxBulk is the default of proto-max-bulk-len.
	DefaultMaxBulk = 512 << 20
	// Before authentication a request may have so many arguments of so many bytes.
	unauthArgs = 10
	unauthBulk = 16 << 10
	// keepArgs bounds the memory for arguments that a parser keeps between requests.
	keepArgs = 1024
)

// Parser takes requests off a stream of bytes: arrays of bulk strings, or inline
// commands. It keeps the place it has come to between calls, so a body is looked at
// once however it arrives; it allocates in proportion to what has arrived, never to
// what a length announces. The zero value is ready, with the default limits.
//
//	idle --'*'--> count --> length <--> body --> request --> idle
//	idle --else-> line ----------------------> request --> idle
type Parser struct {
	// MaxBulk is the longest bulk string; 0: DefaultMaxBulk, negative: no limit (a
	// primary's stream).
	MaxBulk int64
	// Unauthenticated sets the narrow limits of a connection that must authenticate.
	Unauthenticated bool

	pos    int    // bytes of the present request already looked at
	left   int    // arguments still to come; 0 between requests
	bulk   int    // length of the argument whose body is next, noBulk before its length line
	inBody bool   // bulk is valid
	spans  []span // arguments found so far, relative to the request's first byte
	args   [][]byte
}

type span struct{ from, to int }

// Next looks for one request at the start of buf, which holds the bytes of the
// stream behind the last request; between calls the caller may move them and add to
// them, no more.
//
//   - n > 0: the next n bytes are done with. args is the request, valid until the
//     next call and as long as buf is; it is empty for an empty line or array.
//   - n == 0: the request is not complete. Need says how much it will take.
//   - err: the stream is lost; the client gets err and the connection is closed.
//
// Arguments alias buf. An inline request with quotes is unquoted in place.
func (p *Parser) Next(buf []byte) (args [][]byte, n int, err *Error) {
	if p.left == 0 {
		if len(buf) == 0 {
			return nil, 0, nil
		}
		if buf[0] != '*' {
			return p.inline(buf)
		}
		count, next, err := p.line(buf, 0, ErrTooBigCount)
		if next == 0 {
			return nil, 0, err
		}
		v, ok := parseInt(count)
		switch {
		case !ok || v > MaxArgs:
			return nil, 0, ErrInvalidMultibulk
		case v > unauthArgs && p.Unauthenticated:
			return nil, 0, ErrUnauthMultibulk
		}
		p.pos = 0
		if v <= 0 {
			return nil, next, nil
		}
		p.pos, p.left = next, int(v)
		p.spans = p.spans[:0]
	}
	return p.array(buf)
}

// array goes on with an array of bulk strings at p.pos.
func (p *Parser) array(buf []byte) ([][]byte, int, *Error) {
	for p.left > 0 {
		if !p.inBody {
			if p.pos >= len(buf) {
				return nil, 0, nil
			}
			// Redis waits for the whole line before it looks at its first byte.
			digits, next, err := p.line(buf, p.pos, ErrTooBigBulkCount)
			if next == 0 {
				return nil, 0, err
			}
			if buf[p.pos] != '$' {
				return nil, 0, errExpectedDollar(buf[p.pos])
			}
			v, ok := parseInt(digits)
			switch {
			case !ok || v < 0 || v > p.maxBulk():
				return nil, 0, ErrInvalidBulk
			case v > unauthBulk && p.Unauthenticated:
				return nil, 0, ErrUnauthBulk
			}
			p.pos, p.bulk, p.inBody = next, int(v), true
		}
		if len(buf)-p.pos < p.bulk+2 {
			return nil, 0, nil
		}
		p.spans = append(p.spans, span{p.pos, p.pos + p.bulk})
		p.pos += p.bulk + 2
		p.inBody = false
		p.left--
	}
	n := p.pos
	p.pos = 0
	return p.collect(buf), n, nil
}

// collect makes the arguments of the spans.
func (p *Parser) collect(buf []byte) [][]byte {
	args := p.args[:0]
	for _, s := range p.spans {
		args = append(args, buf[s.from:s.to:s.to])
	}
	if cap(args) > keepArgs {
		p.args, p.spans = nil, nil
		return args
	}
	p.args = args
	return args
}

// line returns what stands between the first byte at from and the next line end,
// and the index behind that. next is 0 if the end is not there yet.
func (p *Parser) line(buf []byte, from int, tooLong *Error) (text []byte, next int, err *Error) {
	// Nearly every line is "$NN\r\n": look at the next few bytes by hand.
	end := -1
	for i := from; i < len(buf) && i < from+8; i++ {
		if buf[i] == '\r' {
			end = i
			break
		}
	}
	if end < 0 {
		i := bytes.IndexByte(buf[from:min(len(buf), from+MaxInline+1)], '\r')
		if i < 0 {
			if len(buf)-from > MaxInline {
				return nil, 0, tooLong
			}
			return nil, 0, nil
		}
		end = from + i
	}
	if end+1 >= len(buf) {
		return nil, 0, nil
	}
	// A line end right at from has no text; the caller refuses its first byte.
	return buf[min(from+1, end):end], end + 2, nil
}

// Need returns how many bytes, counted from the start of the present request, it
// takes before Next can get further; 0 if that is not known. A caller with a large
// bulk string to come makes room for it by doubling up to this.
func (p *Parser) Need() int {
	if !p.inBody {
		return 0
	}
	return p.pos + p.bulk + 2
}

// Midway reports whether part of a request has been taken.
func (p *Parser) Midway() bool { return p.left > 0 }

func (p *Parser) maxBulk() int64 {
	switch {
	case p.MaxBulk == 0:
		return DefaultMaxBulk
	case p.MaxBulk < 0:
		return 1<<62 - 1
	}
	return p.MaxBulk
}

// parseInt reads a decimal as Redis' string2ll does: no plus sign, no leading zero,
// no space, in the range of int64.
func parseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	digits := b
	negative := b[0] == '-'
	if negative {
		digits = b[1:]
	}
	if len(digits) == 0 || (digits[0] == '0' && len(b) > 1) {
		return 0, false
	}
	if len(digits) > 18 {
		v, err := strconv.ParseInt(string(b), 10, 64)
		return v, err == nil && digits[0] >= '1' && digits[0] <= '9'
	}
	var v int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	if negative {
		v = -v
	}
	return v, true
}
