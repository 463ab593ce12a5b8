package persist

import (
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// pendingAtOnce is how many pending entries of a group go into one piece.
const pendingAtOnce = 512

// stream cuts a stream: pieces of nodes, then pieces of groups. Each repeats what the
// stream knows of itself.
func (p *Pieces) stream() error {
	x := p.e.Stream()
	info := infoOf(&x)
	nodes := func() error {
		p.body.ResetBody()
		p.body.Count(p.n)
		p.elems.Stream(info)
		p.elems.Count(0)
		return p.send()
	}
	err := x.EachNode(func(master stream.ID, lp []byte) error {
		p.elems.StreamNode(outID(master), lp)
		if p.n++; len(p.elems.Body()) < p.Bytes {
			return nil
		}
		return nodes()
	})
	if err == nil && (p.n > 0 || p.first) {
		err = nodes()
	}
	if err != nil {
		return err
	}
	return x.EachGroup(func(g engine.EntryGroup) error {
		c := groupCutter{p: p, info: info, g: &g}
		return c.cut()
	})
}

// groupCutter cuts a group into pieces of some pending entries and their consumers. The
// first piece has every consumer.
type groupCutter struct {
	p       *Pieces
	info    rdb.StreamInfo
	g       *engine.EntryGroup
	pending []rdb.PendingInfo
	owned   [][]rdb.StreamID // of pending, by consumer
	later   bool
}

func (c *groupCutter) cut() error {
	c.owned = make([][]rdb.StreamID, len(c.g.Consumers))
	err := c.g.EachPending(func(id stream.ID, atMillis int64, count uint64, consumer int) error {
		if consumer < 0 {
			return nil // nobody's: it would be dropped where it is loaded
		}
		c.pending = append(c.pending, rdb.PendingInfo{ID: outID(id), DeliveredAt: atMillis, Deliveries: count})
		c.owned[consumer] = append(c.owned[consumer], outID(id))
		if len(c.pending) < pendingAtOnce {
			return nil
		}
		return c.emit()
	})
	if err == nil && (len(c.pending) > 0 || !c.later) {
		err = c.emit()
	}
	return err
}

func (c *groupCutter) emit() error {
	w := c.p.body
	w.ResetBody()
	w.Count(0)
	w.Stream(c.info)
	w.Count(1)
	w.Group(c.g.Name, groupInfo(c.g, len(c.pending)))
	for _, x := range c.pending {
		w.Pending(x)
	}
	n := uint64(0)
	for i := range c.owned {
		if !c.later || len(c.owned[i]) > 0 {
			n++
		}
	}
	w.Count(n)
	for i := range c.owned {
		ids := c.owned[i]
		if c.later && len(ids) == 0 {
			continue
		}
		w.Consumer(rdb.KindStream3, c.g.Consumers[i].Name, consumerInfo(&c.g.Consumers[i], len(ids)))
		for _, id := range ids {
			w.Owned(id)
		}
		c.owned[i] = ids[:0]
	}
	c.pending, c.later = c.pending[:0], true
	return c.p.send()
}
