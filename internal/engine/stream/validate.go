package stream

import (
	"errors"
	"fmt"

	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// ErrCorrupt is returned when bytes are no node of a stream.
var ErrCorrupt = errors.New("stream: corrupt node")

// Validate reports whether lp, bytes of any origin, is a node with that master id which
// every function of this package can read: a whole listpack, entries that say truly how
// long they are, ids that grow, right counters. It returns the numbers of live and of
// deleted entries and the greatest id.
func Validate(master ID, lp []byte) (live, deleted int, last ID, err error) {
	if master.IsZero() {
		return 0, 0, ID{}, fmt.Errorf("%w: master id 0-0", ErrCorrupt)
	}
	c := checker{lp: lp, master: master}
	if err := listpack.Validate(lp, true, c.piece); err != nil {
		return 0, 0, ID{}, err
	}
	if c.state != stateFlags {
		return 0, 0, ID{}, fmt.Errorf("%w: ends within an entry", ErrCorrupt)
	}
	if c.live != c.saysLive || c.deleted != c.saysDeleted {
		return 0, 0, ID{}, fmt.Errorf("%w: %d and %d entries, counted %d and %d", ErrCorrupt, c.live, c.deleted, c.saysLive, c.saysDeleted)
	}
	return int(c.live), int(c.deleted), c.last, nil
}

// checker goes through the pieces of a node as they come.
//
//	live -> deleted -> fields -> name ... -> term -> flags -> ms -> seq -> [fields] -> body ... -> pieces -> flags ...
type checker struct {
	lp                         []byte
	master                     ID
	state                      checkState
	saysLive, saysDeleted      int64
	live, deleted              int64
	masterFields, left, pieces int64
	flags                      int64
	id, last                   ID
	some                       bool
}

type checkState uint8

const (
	stateLive checkState = iota
	stateDeleted
	stateMasterFields
	stateNames
	stateTerm
	stateFlags
	stateMs
	stateSeq
	stateFields
	stateBody
	statePieces
)

func (c *checker) piece(off, _ int) bool {
	_, v, isInt := listpack.Value(c.lp, off)
	if c.state == stateNames || c.state == stateBody {
		c.pieces++
		if c.left--; c.left == 0 {
			c.state++
		}
		return true
	}
	if !isInt {
		return false // Redis writes every number as one
	}
	switch c.state {
	case stateLive:
		c.saysLive = v
	case stateDeleted:
		c.saysDeleted = v
	case stateMasterFields:
		c.masterFields, c.left = v, v
		if v < 0 || v > int64(len(c.lp)) {
			return false
		}
		if v == 0 {
			c.state++
		}
	case stateTerm:
		if v != 0 {
			return false
		}
	default:
		return c.number(off, v)
	}
	c.state++
	return true
}

// number checks a number of an entry.
func (c *checker) number(off int, v int64) bool {
	c.pieces++
	switch c.state {
	case stateFlags:
		// One byte, since deleting writes it in place.
		if v < 0 || v > flagDeleted|flagSameFields || c.lp[off] != byte(v) {
			return false
		}
		c.flags, c.pieces = v, 1
	case stateMs:
		c.id.Ms = c.master.Ms + uint64(v)
	case stateSeq:
		c.id.Seq = c.master.Seq + uint64(v)
		if c.id.Less(c.master) || c.some && !c.last.Less(c.id) {
			return false
		}
		c.some, c.last = true, c.id
		if c.flags&flagSameFields != 0 {
			return c.body(c.masterFields)
		}
	case stateFields:
		if v < 0 || v > int64(len(c.lp)) {
			return false
		}
		return c.body(2 * v)
	case statePieces:
		if v != c.pieces-1 {
			return false
		}
		if c.flags&flagDeleted != 0 {
			c.deleted++
		} else {
			c.live++
		}
		c.state = stateFlags
		return true
	}
	c.state++
	return true
}

func (c *checker) body(n int64) bool {
	c.left, c.state = n, stateBody
	if n == 0 {
		c.state = statePieces
	}
	return true
}
