package command

import (
	"encoding/binary"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// TouchDatabase says that database db is about to be emptied, or to take the place of
// other: transactions fail that watch a key of db which is in one of the two. A watched
// key that neither has does not change (Redis 7.2, multi.c, touchAllWatchedKeysInDb).
// Who waits for the end of a key in db, or for a key that other may bring, is served.
// REQUIRES: all shards locked or owned.
func (c *Ctx) TouchDatabase(db, other int) {
	if c.Watches != nil && c.Watches.Active() {
		a, b := c.In(db), c.In(other)
		c.Watches.touchExisting(&a, &b)
	}
	if c.Waits != nil && c.Waits.Active() {
		c.Waits.readyDatabase(c, db, db != other)
	}
}

func (t *Watches) touchExisting(a, b *engine.Access) {
	for _, keys := range t.shards {
		for id, watchers := range keys {
			key := []byte(id[4:])
			slot := slots.Of(key)
			if int(binary.LittleEndian.Uint32([]byte(id[:4]))) != a.DB() {
				continue
			}
			if _, here := a.Peek(slot, key); !here {
				if _, there := b.Peek(slot, key); !there {
					continue
				}
			}
			for _, w := range watchers {
				w.dirty.Store(true)
			}
			delete(keys, id)
			t.count.Add(-1)
		}
	}
}

// In returns the access to another database under the same locks: the shard of a slot
// holds that slot of every database.
func (c *Ctx) In(db int) engine.Access {
	mode := engine.ModePrimary
	if c.Applying {
		mode = engine.ModeApply
	}
	a := c.Keyspace.Access(db, c.Now(), mode)
	a.SetSink(c.DB.Sink())
	a.SetNews(c.DB.News())
	return a
}
