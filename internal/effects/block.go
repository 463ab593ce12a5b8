package effects

import (
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// Entry is one effect within a Block: the bytes Start to End of its Buf are one
// RESP request that changes Slot of database DB, or no slot at all.
type Entry struct {
	Slot       slots.Slot
	Keyless    bool // FLUSHALL and its like: Slot means nothing, every slot is touched
	DB         int
	Start, End int
}

// Block is what one command, EXEC or script changed: effects that are appended to
// the log together, under the locks of the shards they touched. A Block is reused
// by its owner; Reset keeps its memory.
type Block struct {
	Buf     []byte
	Entries []Entry
}

// Reset empties b.
func (b *Block) Reset() {
	b.Buf = b.Buf[:0]
	b.Entries = b.Entries[:0]
}

// Empty reports whether b holds no effect.
func (b *Block) Empty() bool { return len(b.Entries) == 0 }

// Add stages the request args as a change of slot in database db. The bytes of
// args are copied.
func (b *Block) Add(slot slots.Slot, db int, args ...[]byte) {
	start := len(b.Buf)
	b.Buf = resp.AppendCommand(b.Buf, args...)
	b.Entries = append(b.Entries, Entry{Slot: slot, DB: db, Start: start, End: len(b.Buf)})
}

// AddKeyless stages a request that belongs to no single slot.
func (b *Block) AddKeyless(db int, args ...[]byte) {
	start := len(b.Buf)
	b.Buf = resp.AppendCommand(b.Buf, args...)
	b.Entries = append(b.Entries, Entry{Keyless: true, DB: db, Start: start, End: len(b.Buf)})
}
