package keys

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/glob"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

const (
	// scanCount is how many keys a step of SCAN aims at unless told.
	scanCount = 10
	// scanEmptySteps x COUNT bounds the walk over empty buckets, as in Redis.
	scanEmptySteps = 10
	// sparseKeys is the number of keys below which SCAN locks every shard: with so
	// few keys a slot, a step that had to end with its shard would find next to none.
	sparseKeys = 8 * slots.Count
)

type scanOptions struct {
	count   int64
	pattern []byte // nil: every key
	typ     string // "": every type
}

// scanShards is the shard of the cursor, or all of them in a sparse database.
func scanShards(c *command.Ctx) engine.ShardMask {
	cursor, ok := command.ParseCursor(c.Args[1])
	if !ok {
		return 0
	}
	if db := c.DB.DB(); c.Keyspace.Len(db) >= sparseKeys {
		return c.Keyspace.ScanShard(db, cursor)
	}
	return c.Keyspace.AllShards()
}

func scan(c *command.Ctx) error {
	cursor, ok := command.ParseCursor(c.Args[1])
	if !ok {
		return resp.ErrInvalidCursor
	}
	o, err := parseScan(c)
	if err != nil {
		return err
	}
	if o.count > command.SlowElements && !c.Owner {
		return command.ErrSlow
	}
	db := c.DB.DB()
	held := c.Held | c.Keyspace.ScanShard(db, cursor)
	begin, n, seen := len(c.Out.Buf), 0, int64(0)
	visit := func(key []byte, r engine.Record) {
		seen++
		if o.pattern != nil && !glob.Match(o.pattern, key) ||
			o.typ != "" && !strings.EqualFold(o.typ, r.Type().String()) {
			return
		}
		c.Out.Bulk(key)
		n++
	}
	for steps := o.count * scanEmptySteps; ; steps-- {
		cursor = c.DB.Scan(cursor, visit)
		if cursor == 0 || seen >= o.count || steps <= 0 ||
			c.Keyspace.ScanShard(db, cursor)&^held != 0 {
			break
		}
	}
	// The cursor and the count stand in front of the keys but are known only now.
	var room [64]byte
	head := resp.Writer{Buf: room[:0]}
	head.Array(2)
	head.BulkString(strconv.FormatUint(cursor, 10))
	head.Array(n)
	c.Out.Buf = slices.Insert(c.Out.Buf, begin, head.Buf...)
	return nil
}

func parseScan(c *command.Ctx) (o scanOptions, err error) {
	o.count = scanCount
	for i := 2; i < len(c.Args); i += 2 {
		word := c.Args[i]
		if i+1 == len(c.Args) {
			return o, resp.ErrSyntax
		}
		switch arg := c.Args[i+1]; {
		case command.Is(word, "count"):
			if o.count, err = c.Int(i + 1); err != nil {
				return o, err
			}
			if o.count < 1 {
				return o, resp.ErrSyntax
			}
		case command.Is(word, "match"):
			o.pattern = arg
			if string(arg) == "*" {
				o.pattern = nil
			}
		case command.Is(word, "type"):
			o.typ = string(arg)
		default:
			return o, resp.ErrSyntax
		}
	}
	o.count = min(o.count, math.MaxInt64/scanEmptySteps)
	return o, nil
}

// keys replies with every key that matches. REQUIRES: every shard locked.
func keys(c *command.Ctx) error {
	if c.Slow(int(c.Keyspace.Len(c.DB.DB())), 0) {
		return command.ErrSlow
	}
	pattern := c.Args[1]
	every := string(pattern) == "*"
	begin, n := len(c.Out.Buf), 0
	visit := func(key []byte, _ engine.Record) {
		if every || glob.Match(pattern, key) {
			c.Out.Bulk(key)
			n++
		}
	}
	for cursor := c.DB.Scan(0, visit); cursor != 0; {
		cursor = c.DB.Scan(cursor, visit)
	}
	var room [32]byte
	head := resp.Writer{Buf: room[:0]}
	head.Array(n)
	c.Out.Buf = slices.Insert(c.Out.Buf, begin, head.Buf...)
	return nil
}

// randomkey replies with a key drawn uniformly. REQUIRES: every shard locked.
func (h *handlers) randomkey(c *command.Ctx) error {
	if key, ok := c.DB.RandomKey(h.Random); ok {
		c.Out.Bulk(key)
	} else {
		c.Out.Null()
	}
	return nil
}
