package command

import (
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// LockMask returns the data shards that the request of c locks, from c.Spec, c.Args,
// c.Keyspace and the database of c.DB, and notes them in c.Held. ok is false where its
// keys cannot be told: the command is then to be answered by its handler with no shard
// locked, which will refuse it.
func (c *Ctx) LockMask() (m engine.ShardMask, ok bool) {
	m, ok = c.lockMask()
	c.Held = m
	return m, ok
}

func (c *Ctx) lockMask() (m engine.ShardMask, ok bool) {
	s := c.Spec
	switch {
	case s.ShardsFor != nil:
		return s.ShardsFor(c), true
	case s.Shards == ShardsAll:
		return c.Keyspace.AllShards(), true
	case s.Shards == ShardsNone:
		return 0, true
	case s.firstKey != 0:
		return c.Keyspace.Mask(c.Slot(s.firstKey)), true
	}
	if s.FindKeys != nil {
		keys, ok := s.FindKeys(nil, c.Args)
		return c.maskOf(keys), ok
	}
	var room [16]KeyRef
	keys, ok := s.keysByRule(room[:0], c.Args)
	return c.maskOf(keys), ok
}

func (c *Ctx) maskOf(keys []KeyRef) (m engine.ShardMask) {
	for _, k := range keys {
		m |= c.Keyspace.Mask(slots.Of(c.Args[k.Arg]))
	}
	return m
}
