package stream

import (
	"bytes"
	"math"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errID    = resp.NewError("ERR Invalid stream ID specified as stream command argument")
	errStart = resp.NewError("ERR invalid start ID for the interval")
	errEnd   = resp.NewError("ERR invalid end ID for the interval")
)

// maxIDBytes is the longest argument that is read as an id (t_stream.c,
// streamGenericParseIDOrReply).
const maxIDBytes = 127

// parsedID is what an argument says of an id.
type parsedID struct {
	stream.ID
	anySeq bool // "ms-*"
}

// idOptions say which forms an id may have.
type idOptions struct {
	ends   bool // - and + are ids
	anySeq bool // ms-* is one
}

// parseID reads an id; missing stands for an absent sequence number. The text ends at its
// first NUL, as in C.
func parseID(b []byte, missing uint64, o idOptions) (p parsedID, ok bool) {
	if len(b) > maxIDBytes {
		return p, false
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(b) == 1 && (b[0] == '-' || b[0] == '+') {
		if b[0] == '+' {
			p.ID = stream.MaxID
		}
		return p, o.ends
	}
	ms, seq, both := bytes.Cut(b, []byte{'-'})
	if p.Ms, ok = parseUint(ms); !ok {
		return p, false
	}
	if p.Seq = missing; !both {
		return p, true
	}
	if o.anySeq && len(seq) == 1 && seq[0] == '*' {
		p.Seq, p.anySeq = 0, true
		return p, true
	}
	p.Seq, ok = parseUint(seq)
	return p, ok
}

// strictID reads argument i as an id with a sequence number of 0 unless given.
func strictID(c *command.Ctx, i int) (stream.ID, error) {
	p, ok := parseID(c.Args[i], 0, idOptions{})
	if !ok {
		return stream.ID{}, errID
	}
	return p.ID, nil
}

// strictIDs reads the arguments from to to as ids into room, which grows.
func strictIDs(c *command.Ctx, room []stream.ID, from, to int) ([]stream.ID, error) {
	for i := from; i < to; i++ {
		id, err := strictID(c, i)
		if err != nil {
			return nil, err
		}
		room = append(room, id)
	}
	return room, nil
}

// intervalStart reads argument i as the first id of an interval; "(" excludes it.
func intervalStart(c *command.Ctx, i int) (stream.ID, error) {
	id, open, err := intervalID(c.Args[i], 0)
	if err == nil && open {
		if next, ok := id.Next(); ok {
			return next, nil
		}
		return id, errStart
	}
	return id, err
}

// intervalEnd reads argument i as the last id of an interval.
func intervalEnd(c *command.Ctx, i int) (stream.ID, error) {
	id, open, err := intervalID(c.Args[i], math.MaxUint64)
	if err == nil && open {
		if prev, ok := id.Prev(); ok {
			return prev, nil
		}
		return id, errEnd
	}
	return id, err
}

func intervalID(b []byte, missing uint64) (id stream.ID, open bool, err error) {
	o := idOptions{ends: true}
	if len(b) > 1 && b[0] == '(' {
		b, open, o.ends = b[1:], true, false
	}
	p, ok := parseID(b, missing, o)
	if !ok {
		err = errID
	}
	return p.ID, open, err
}

// parseUint reads an unsigned number: one in its canonical form, or else what C's
// strtoull makes of it (t_stream.c, string2ull), which lets pass leading space, zeros and
// signs, a minus negating in 64 bits.
func parseUint(b []byte) (uint64, bool) {
	if v, ok := command.ParseInt(b); ok {
		return uint64(v), v >= 0
	}
	for len(b) > 0 && (b[0] == ' ' || b[0] >= '\t' && b[0] <= '\r') {
		b = b[1:]
	}
	negative := false
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		negative, b = b[0] == '-', b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	var v uint64
	for _, ch := range b {
		d := uint64(ch - '0')
		if d > 9 || v > (math.MaxUint64-d)/10 {
			return 0, false
		}
		v = v*10 + d
	}
	if negative {
		v = -v
	}
	return v, true
}
