package rdb

import (
	"encoding/binary"
	"fmt"

	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// A zipmap is what small hashes were before redis 2.6 (zipmap.c):
//
//	| pairs u8, 254: unknown | length key length free value free bytes ... | 0xFF |
//
// A length is one byte, or 254 and 4 bytes; free is one byte: unused bytes behind a value.
const zipmapBig = 254

// fromZipmap appends the fields and values of the zipmap b to the listpack lp.
func fromZipmap(lp, b []byte) ([]byte, error) {
	bad := func(at int, what string) ([]byte, error) {
		return lp, fmt.Errorf("%w: zipmap, byte %d of %d: %s", ErrFormat, at, len(b), what)
	}
	if len(b) < 2 || b[len(b)-1] != zipEnd {
		return bad(0, "length or end")
	}
	end := len(b) - 1
	n, at := 0, 1
	for at < end && b[at] != zipEnd {
		for part := range 2 {
			size, next, ok := zipmapLength(b[:end], at)
			if !ok {
				return bad(at, "length")
			}
			free := 0
			if at = next; part == 1 {
				if at == end {
					return bad(at, "cut")
				}
				free = int(b[at])
				at++
			}
			if size+free > end-at {
				return bad(at, "cut")
			}
			lp = listpack.Append(lp, b[at:at+size])
			at += size + free
		}
		n++
		if len(lp) > 1<<30 {
			return bad(at, "too long")
		}
	}
	if at != end {
		return bad(at, "ends early")
	}
	if known := int(b[0]); known < zipmapBig && known != n {
		return bad(0, "number of pairs")
	}
	return lp, nil
}

func zipmapLength(b []byte, at int) (n, next int, ok bool) {
	switch {
	case at >= len(b) || b[at] == zipEnd:
		return 0, 0, false
	case b[at] < zipmapBig:
		return int(b[at]), at + 1, true
	case at+5 > len(b):
		return 0, 0, false
	}
	return int(binary.LittleEndian.Uint32(b[at+1:])), at + 5, true
}
