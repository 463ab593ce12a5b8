package cluster

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

var (
	errSlot      = resp.NewError("ERR Invalid slot")
	errSlotCount = resp.NewError("ERR Invalid slot or number of keys")
)

func (d *Deps) keySlot(c *command.Ctx) error {
	c.Out.Int(int64(slots.Of(c.Args[2])))
	return nil
}

func (d *Deps) countKeysInSlot(c *command.Ctx) error {
	n, err := c.Int(2)
	if err != nil {
		return err
	}
	if n < 0 || n >= slotCount {
		return errSlot
	}
	c.Out.Int(int64(d.Keyspace.SlotLen(0, slots.Slot(n))))
	return nil
}

// getKeysInSlot runs under the lock of the slot's shard (slotShard).
func (d *Deps) getKeysInSlot(c *command.Ctx) error {
	slot, err := c.Int(2)
	if err != nil {
		return err
	}
	count, err := c.Int(3)
	if err != nil {
		return err
	}
	if slot < 0 || slot >= slotCount || count < 0 {
		return errSlotCount
	}
	limit := int(min(count, int64(d.Keyspace.SlotLen(0, slots.Slot(slot)))))
	if limit > command.SlowElements && !c.Owner {
		return command.ErrSlow
	}
	// The number of keys stands before them, and a slot may hold fewer than its
	// counter says (keys that have expired).
	var keys []byte
	var lens []int
	if limit > 0 {
		c.DB.SlotKeys(slots.Slot(slot), limit, func(key []byte) {
			keys = append(keys, key...)
			lens = append(lens, len(key))
		})
	}
	c.Out.Array(len(lens))
	for _, n := range lens {
		c.Out.Bulk(keys[:n])
		keys = keys[n:]
	}
	return nil
}

// slotShard is the shard of the slot that argument 2 names, none if it names none.
func slotShard(c *command.Ctx) engine.ShardMask {
	n, ok := command.ParseInt(c.Args[2])
	if !ok || n < 0 || n >= slotCount {
		return 0
	}
	return c.Keyspace.Mask(slots.Slot(n))
}
