package stream

import (
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/slots"
)

// claims propagates what happens to the pending entries of a group as requests that have
// the same outcome whenever they are run (t_stream.c, streamPropagateXCLAIM).
type claims struct {
	c          *command.Ctx
	slot       slots.Slot
	key, group []byte
}

// claim says that id is pending with this delivery, and up to where the group has read:
//
//	XCLAIM key group consumer 0 id TIME ms RETRYCOUNT n FORCE JUSTID LASTID id
//
// Where the entry is not in the stream, the pending one goes.
func (p *claims) claim(g stream.Group, consumer []byte, id stream.ID, timeMillis int64, count uint64) {
	var idText, lastText [stream.IDText]byte
	var timeText, countText [20]byte
	p.c.Effect(p.slot, wordXClaim, p.key, p.group, consumer, wordZero, id.Append(idText[:0]),
		wordTime, appendInt(timeText[:0], timeMillis),
		wordRetryCount, strconv.AppendUint(countText[:0], count, 10),
		wordForce, wordJustID, wordLastID, g.Last().Append(lastText[:0]))
}

// advance says how far the group has read:
//
//	XGROUP SETID key group id ENTRIESREAD n
func (p *claims) advance(g stream.Group) {
	var idText [stream.IDText]byte
	var readText [20]byte
	p.c.Effect(p.slot, wordXGroup, wordSetID, p.key, p.group, g.Last().Append(idText[:0]),
		wordEntriesRead, appendInt(readText[:0], g.Read()))
}

// created says that a consumer came into being.
func (p *claims) created(consumer []byte) {
	p.c.Effect(p.slot, wordXGroup, wordCreateConsumer, p.key, p.group, consumer)
}

// idsMost is how many ids one propagated request has at most.
const idsMost = 32

// onIDs propagates a request on ids of the stream: up to three words, then the ids, in
// parts where they are many.
func onIDs(c *command.Ctx, ids []stream.ID, head ...[]byte) {
	var texts [idsMost][stream.IDText]byte
	var args [3 + idsMost][]byte
	n := copy(args[:], head)
	for len(ids) > 0 {
		part := ids[:min(len(ids), idsMost)]
		for i, id := range part {
			args[n+i] = id.Append(texts[i][:0])
		}
		c.Effect(c.Slot(1), args[:n+len(part)]...)
		ids = ids[len(part):]
	}
}

// lostRefs are pending entries that groups have lost with their entries (DELREF). They are
// propagated as acknowledged: servers older than that option know XACK.
// A nil one hears of none.
type lostRefs struct{ byGroup [][]stream.ID }

// newLostRefs returns one, and how it hears, for a deletion that has any.
func newLostRefs(r stream.References) (*lostRefs, stream.Lost) {
	if r != stream.DeleteReferences {
		return nil, nil
	}
	l := new(lostRefs)
	return l, l.add
}

func (l *lostRefs) add(group int, id stream.ID) {
	for len(l.byGroup) <= group {
		l.byGroup = append(l.byGroup, nil)
	}
	l.byGroup[group] = append(l.byGroup[group], id)
}

func (l *lostRefs) propagate(c *command.Ctx, s stream.Stream) {
	if l == nil {
		return
	}
	for i, ids := range l.byGroup {
		onIDs(c, ids, wordXAck, c.Args[1], s.GroupAt(i).Name())
	}
}
