package command

import (
	"net"
	"time"

	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// Ctx is one run of one command. Its owner reuses it; a handler keeps nothing of it.
type Ctx struct {
	Spec *Spec
	// Args is the request, Args[0] the name as it was sent. The bytes belong to the
	// read buffer: a handler copies what it keeps.
	Args [][]byte
	// DB is the session's database under the locks of the command's shards, at the
	// frozen time of the command, EXEC or script.
	DB       engine.Access
	Keyspace *engine.Keyspace
	Out      *resp.Writer
	// Client is the connection, or nil where a stream is applied.
	Client Client
	// Owner is set when the command owns its shards: it must not return ErrSlow.
	Owner bool
	// InExec is set within EXEC: the command must not block.
	InExec bool
	// MayReplyLater is set where whoever runs commands writes the reply that ReplyLater has
	// promised.
	MayReplyLater bool
	// Applying is set where a stream is applied: a time in the past is stored as it
	// stands, since the stream's own deletion follows.
	Applying bool
	// MaxBulkBytes is proto-max-bulk-len, the longest string that may come to be;
	// 0: DefaultMaxBulkBytes.
	MaxBulkBytes int64
	// Hits and Misses count the keys that reads found and did not find; their reader
	// resets them.
	Hits, Misses int64

	// Block takes the staged effects; nil when nobody reads effects.
	Block *effects.Block
	// Watches is told which keys changed; nil where nobody can watch.
	Watches *Watches
	// Waits knows who waits for keys; nil where no command can block.
	Waits *Waits
	// Events publishes what happens to keys; nil where nobody can hear of it.
	Events *Events

	// Held are the shards that are locked for this run as far as the command may know:
	// what LockMask returned, or 0, which means no more than its Spec promises.
	Held engine.ShardMask

	onlyArg int        // the one key that has changed, 0: any of the Spec's
	keyArg  int        // argument whose slot is known
	keySlot slots.Slot // its slot
	changed int64
	staged  bool

	later engine.Hold // what the reply is made of
	cut   [2]int      // the part of it

	events  []happened   // what Emit will publish
	readied []*waitQueue // keys that became ready, in order
	blocked *Wait        // what the command that has run waits for
	serving *Wait        // the command runs for this one, which waited
	kept    *Wait        // the command waited here before and keeps its deadline
}

// DefaultMaxBulkBytes is the default of proto-max-bulk-len.
const DefaultMaxBulkBytes = 512 << 20

// Client is what a command may ask of the connection it came by.
type Client interface {
	// ClientID returns the connection's id, as CLIENT ID has it.
	ClientID() uint64
	// LastWrite returns the log offset behind the last write of this connection, 0 if
	// there was none (WAIT).
	LastWrite() int64
	// Block parks the connection after this command without a reply: resume is called
	// by its owner after each wake and once with timedOut at the deadline (zero: none),
	// until it returns true, having appended the reply. wake may be called from any
	// goroutine and never blocks. onEnd, if not nil, is called once when the client is
	// no longer parked, for whatever reason.
	Block(deadline time.Time, resume func(out *resp.Writer, timedOut bool) (done bool), onEnd func()) (wake func())
	// Hijack takes the connection from the server once this command has ended: its
	// output so far is sent, then take gets the socket and the bytes already read.
	// take runs in a goroutine of its own and must close the socket.
	Hijack(take func(conn net.Conn, unread []byte))
}

// Begin makes c ready to run spec on args. keyArg and keySlot name a key whose slot
// the router has already computed (keyArg 0: none).
func (c *Ctx) Begin(spec *Spec, args [][]byte, keyArg int, keySlot slots.Slot) {
	c.Spec, c.Args = spec, args
	c.keyArg, c.keySlot = keyArg, keySlot
	c.changed, c.staged, c.Held, c.onlyArg = 0, false, 0, 0
}

// Slot returns the slot of argument i, which must be a key.
func (c *Ctx) Slot(i int) slots.Slot {
	if i == c.keyArg {
		return c.keySlot
	}
	return slots.Of(c.Args[i])
}

// Read finds the key at argument i for reading: its clock is touched and the lookup
// counted.
func (c *Ctx) Read(i int) (engine.Record, bool) {
	r, ok := c.DB.Find(c.Slot(i), c.Args[i])
	c.CountAt(ok, i)
	return r, ok
}

// Glance is Read without touching the clock.
func (c *Ctx) Glance(i int) (engine.Record, bool) {
	r, ok := c.DB.Peek(c.Slot(i), c.Args[i])
	c.CountAt(ok, i)
	return r, ok
}

// Count counts the lookup of the command's only key, which is at argument 1 where it has
// more than one, by a read.
func (c *Ctx) Count(found bool) { c.CountAt(found, max(c.Spec.firstKey, 1)) }

// CountAt is Count for the key at argument i.
func (c *Ctx) CountAt(found bool, i int) {
	if found {
		c.Hits++
		return
	}
	c.Misses++
	c.Notify(NotifyKeyMiss, "keymiss", i)
}

// Slow reports whether a command that touches so many elements or bytes must ask
// for ownership of its shards by returning ErrSlow.
func (c *Ctx) Slow(elements, bytes int) bool {
	return !c.Owner && (elements > SlowElements || bytes > SlowBytes)
}

// ReplyLater makes the bytes [from, to) of the string r at key argument i the reply, which
// is written when the shards have been released: nobody else waits for the copying. The
// handler has written none, writes no other, and may delete the key. It returns false where
// that cannot be: the handler writes the reply itself, as an owner.
func (c *Ctx) ReplyLater(i int, r engine.Record, from, to int) bool {
	if !c.MayReplyLater || c.Owner || c.InExec {
		return false
	}
	h, ok := c.DB.Hold(c.Slot(i), r)
	if ok {
		c.later, c.cut = h, [2]int{from, to}
	}
	return ok
}

// RepliesLater reports whether ReplyLater has promised a reply.
func (c *Ctx) RepliesLater() bool { return c.later.Held() }

// ReplyNow writes the reply that was promised. It may block; the shards are not held.
func (c *Ctx) ReplyNow() {
	c.Out.Bulk(c.later.Bytes()[c.cut[0]:c.cut[1]])
	c.later.Release()
}

// MaxString returns the longest string that may come to be, in bytes.
func (c *Ctx) MaxString() int64 {
	if c.MaxBulkBytes == 0 {
		return DefaultMaxBulkBytes
	}
	return c.MaxBulkBytes
}

// Now returns the frozen time in Unix milliseconds.
func (c *Ctx) Now() int64 { return c.DB.Now() }

// Changed records that the command changed n keys or elements. Unless an Effect is
// staged, the request itself is propagated.
func (c *Ctx) Changed(n int) { c.changed += int64(n) }

// ChangedAt is Changed where of the request's keys only the one at argument keyArg has
// changed (LMPOP): transactions that watch another one go on.
func (c *Ctx) ChangedAt(keyArg, n int) {
	c.Changed(n)
	c.onlyArg = keyArg
}

// Changes returns what Changed has summed up.
func (c *Ctx) Changes() int64 { return c.changed }

// Effect stages what is propagated instead of the request; it may be called more
// than once. slot is the slot that the effect changes. The bytes are copied.
func (c *Ctx) Effect(slot slots.Slot, args ...[]byte) {
	c.staged = true
	if c.Block != nil {
		c.Block.Add(slot, c.DB.DB(), args...)
	}
}

// Use sets c.DB to a database at nowMillis for a run of one command that is not part of
// an EXEC.
func (c *Ctx) Use(db int, nowMillis int64, mode engine.AccessMode) {
	c.DB = c.Keyspace.Access(db, nowMillis, mode)
	c.listen()
}

// UseInExec is Use for a command within EXEC. The deletion of an expired key that it
// meets becomes a part of the block, in its place: an earlier command may have given the
// key that time.
func (c *Ctx) UseInExec(db int, nowMillis int64, mode engine.AccessMode) {
	c.Use(db, nowMillis, mode)
	if c.Block != nil {
		c.DB.SetSink(stagedExpiry{c})
	}
}

// stagedExpiry is an engine.Sink whose words become effects and events of a run.
type stagedExpiry struct{ c *Ctx }

var (
	wordDel  = []byte("DEL")
	wordHDel = []byte("HDEL")
)

// Append implements engine.Sink.
func (x stagedExpiry) Append(slot slots.Slot, db int, e engine.Effect) {
	switch e.Kind {
	case engine.EffectDelete:
		x.c.Block.Add(slot, db, wordDel, e.Key)
		x.c.NotifyIn(NotifyExpired, "expired", db, e.Key)
	case engine.EffectDeleteField:
		x.c.Block.Add(slot, db, wordHDel, e.Key, e.Field)
		x.c.NotifyIn(NotifyHash, "hexpired", db, e.Key)
	}
}

// NoEffect says that nothing is to be propagated though data changed.
func (c *Ctx) NoEffect() { c.staged = true }

// End stages the request itself where the command changed something and staged
// nothing else. It is called once after Run, with the shards still locked.
func (c *Ctx) End() {
	if c.changed == 0 {
		return
	}
	c.Keyspace.NoteChanges(c.keySlot, c.changed)
	if c.Watches != nil && c.Watches.Active() {
		c.touchKeys()
	}
	if c.Waits != nil && c.Waits.Active() {
		c.readyKeys()
	}
	if c.staged || c.Block == nil || c.Spec.Has(NoEffect) {
		return
	}
	switch {
	case c.keyArg != 0:
		c.Block.Add(c.keySlot, c.DB.DB(), c.Args...)
	default:
		c.addVerbatim()
	}
}

// addVerbatim stages a request whose key was not known beforehand: its first key's
// slot stands for it (in cluster mode all its keys share that slot).
func (c *Ctx) addVerbatim() {
	var room [16]KeyRef
	keys, _ := c.Spec.keysByRule(room[:0], c.Args)
	if c.Spec.FindKeys != nil {
		keys, _ = c.Spec.FindKeys(nil, c.Args)
	}
	if len(keys) == 0 {
		c.Block.AddKeyless(c.DB.DB(), c.Args...)
		return
	}
	c.Block.Add(slots.Of(c.Args[keys[0].Arg]), c.DB.DB(), c.Args...)
}
