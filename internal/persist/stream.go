package persist

import (
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

func outID(id stream.ID) rdb.StreamID { return rdb.StreamID{MS: id.Ms, Seq: id.Seq} }

func inID(id rdb.StreamID) stream.ID { return stream.ID{Ms: id.MS, Seq: id.Seq} }

func infoOf(x *engine.EntryStream) rdb.StreamInfo {
	return rdb.StreamInfo{
		Length: x.Length, Last: outID(x.Last), First: outID(x.First),
		MaxDeleted: outID(x.MaxDeleted), EntriesAdded: x.Added,
	}
}

// writeStream writes a whole stream.
func writeStream(w *rdb.Writer, e *engine.Entry, k rdb.Kind) error {
	x := e.Stream()
	w.Count(uint64(x.Nodes))
	err := x.EachNode(func(master stream.ID, lp []byte) error {
		w.StreamNode(outID(master), lp)
		return w.Settle()
	})
	if err != nil {
		return err
	}
	w.Stream(infoOf(&x))
	w.Count(uint64(x.Groups))
	return x.EachGroup(func(g engine.EntryGroup) error {
		w.Group(g.Name, groupInfo(&g, g.Pending))
		err := g.EachPending(func(id stream.ID, atMillis int64, count uint64, _ int) error {
			w.Pending(rdb.PendingInfo{ID: outID(id), DeliveredAt: atMillis, Deliveries: count})
			return w.Settle()
		})
		if err != nil {
			return err
		}
		w.Count(uint64(len(g.Consumers)))
		return g.EachConsumer(func(c engine.EntryConsumer) error {
			w.Consumer(k, c.Name, consumerInfo(&c, c.Pending))
			return c.EachPending(func(id stream.ID) error {
				w.Owned(outID(id))
				return w.Settle()
			})
		})
	})
}

func groupInfo(g *engine.EntryGroup, pending int) rdb.GroupInfo {
	return rdb.GroupInfo{Last: outID(g.Last), EntriesRead: g.Read, Pending: uint64(pending)}
}

func consumerInfo(c *engine.EntryConsumer, pending int) rdb.ConsumerInfo {
	return rdb.ConsumerInfo{SeenAt: c.Seen, ActiveAt: c.Active, Pending: uint64(pending)}
}
