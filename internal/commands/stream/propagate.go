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
