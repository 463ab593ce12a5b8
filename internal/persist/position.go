package persist

import (
	"fmt"
	"strconv"

	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// Names of auxiliary fields. Those that begin with "rw-" are Redwing's.
const (
	auxVersion  = "redis-ver"
	auxBits     = "redis-bits"
	auxCTime    = "ctime"
	auxUsedMem  = "used-mem"
	auxStreamDB = "repl-stream-db"
	auxReplID   = "repl-id"
	auxOffset   = "repl-offset"
	auxAOFBase  = "aof-base"
)

// AuxMark is the auxiliary field that holds Position.Mark.
const AuxMark = "rw-mark"

// redisVersion is the version that RDB files name, for tools that look at it.
const redisVersion = "7.2.4"

// Position says where in a stream of effects a data set stands. It goes with an RDB, as
// auxiliary fields.
type Position struct {
	// ReplID names the history of effects, 40 hexadecimal digits; "": nobody can go on from
	// here.
	ReplID string
	// Offset is the replication offset within that history, or within the term of Mark.
	Offset int64
	// StreamDB is the database that the stream has selected, -1: it selects one before its
	// first effect.
	StreamDB int
	// Mark says whose data it is in a cluster (replication.Mark); "" outside of one.
	Mark string
}

// NoPosition is that of a data set of which nothing is known.
var NoPosition = Position{StreamDB: -1}

// fields returns the auxiliary fields of p.
func (p *Position) fields() (out [][2]string) {
	add := func(name, value string) { out = append(out, [2]string{name, value}) }
	if p.ReplID != "" && p.StreamDB >= 0 {
		add(auxStreamDB, strconv.Itoa(p.StreamDB))
	}
	if p.ReplID != "" {
		add(auxReplID, p.ReplID)
	}
	if p.ReplID != "" || p.Mark != "" {
		add(auxOffset, strconv.FormatInt(p.Offset, 10))
	}
	return out
}

// take reads an auxiliary field into p, if it is one of a position. databases is how many
// there are.
func (p *Position) take(name, value string, databases int) error {
	bad := func() error { return fmt.Errorf("%w: %s is %.64q", rdb.ErrFormat, name, value) }
	switch name {
	case auxReplID:
		if len(value) != 40 {
			return bad()
		}
		p.ReplID = value
	case auxOffset:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return bad()
		}
		p.Offset = max(n, 0) // Redis has -1 where it knows none
	case auxStreamDB:
		n, err := strconv.Atoi(value)
		if err != nil || n < -1 || n >= databases {
			return bad()
		}
		p.StreamDB = n
	case AuxMark:
		p.Mark = value
	}
	return nil
}
