package cluster

import (
	"context"
	"fmt"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

var errSlotRange = resp.NewError("ERR Invalid or out of range slot")

func slotArg(arg []byte) (slots.Slot, error) {
	n, ok := command.ParseInt(arg)
	if !ok || n < 0 || n >= slotCount {
		return 0, errSlotRange
	}
	return slots.Slot(n), nil
}

// slotList parses slots, each of which may be named once.
func slotList(args [][]byte) (set slots.Set, err error) {
	for _, arg := range args {
		slot, err := slotArg(arg)
		if err != nil {
			return set, err
		}
		if err := addOnce(&set, slot); err != nil {
			return set, err
		}
	}
	return set, nil
}

// slotPairs parses pairs of first and last slot, which may not overlap.
func slotPairs(args [][]byte) (set slots.Set, err error) {
	for ; len(args) >= 2; args = args[2:] {
		from, err := slotArg(args[0])
		if err != nil {
			return set, err
		}
		to, err := slotArg(args[1])
		if err != nil {
			return set, err
		}
		if from > to {
			return set, resp.NewError(fmt.Sprintf("ERR start slot number %d is greater than end slot number %d", from, to))
		}
		for slot := from; slot <= to; slot++ {
			if err := addOnce(&set, slot); err != nil {
				return set, err
			}
		}
	}
	return set, nil
}

func addOnce(set *slots.Set, slot slots.Slot) error {
	if set.Has(slot) {
		return resp.NewError(fmt.Sprintf("ERR Slot %d specified multiple times", slot))
	}
	set.Add(slot)
	return nil
}

func (d *Deps) addSlots(c *command.Ctx) error {
	set, err := slotList(c.Args[2:])
	if err != nil {
		return err
	}
	return d.assign(c, set)
}

func (d *Deps) addSlotsRange(c *command.Ctx) error {
	if len(c.Args)%2 == 1 {
		return resp.WrongArity(c.Spec.FullName())
	}
	set, err := slotPairs(c.Args[2:])
	if err != nil {
		return err
	}
	return d.assign(c, set)
}

// assign gives slots that have no owner to this node's shard.
func (d *Deps) assign(c *command.Ctx, set slots.Set) error {
	s := d.look()
	for slot := range set.Each() {
		if s.view.Owner(slot) != nil {
			return resp.NewError(fmt.Sprintf("ERR Slot %d is already busy", slot))
		}
	}
	return d.change(c, func(ctx context.Context) error { return d.Control.AddSlots(ctx, set) })
}

func (d *Deps) delSlots(c *command.Ctx) error {
	set, err := slotList(c.Args[2:])
	if err != nil {
		return err
	}
	return d.unassign(c, set)
}

func (d *Deps) delSlotsRange(c *command.Ctx) error {
	if len(c.Args)%2 == 1 {
		return resp.WrongArity(c.Spec.FullName())
	}
	set, err := slotPairs(c.Args[2:])
	if err != nil {
		return err
	}
	return d.unassign(c, set)
}

// unassign takes slots from this node's shard. Those of other shards are none of
// its business and stay: `redis-cli --cluster fix` sends this to every node.
func (d *Deps) unassign(c *command.Ctx, set slots.Set) error {
	s := d.look()
	var mine slots.Set
	for slot := range set.Each() {
		switch s.view.Owner(slot) {
		case nil:
			return resp.NewError(fmt.Sprintf("ERR Slot %d is already unassigned", slot))
		case s.shard():
			mine.Add(slot)
		}
	}
	if mine.Empty() {
		c.Out.OK()
		return nil
	}
	return d.change(c, func(ctx context.Context) error { return d.Control.DelSlots(ctx, mine) })
}

var errNotEmpty = resp.NewError("ERR DB must be empty to perform CLUSTER FLUSHSLOTS.")

func (d *Deps) flushSlots(c *command.Ctx) error {
	if d.Keyspace.Len(0) != 0 {
		return errNotEmpty
	}
	return d.unassign(c, d.look().shard().Slots)
}
