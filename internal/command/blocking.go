package command

import (
	"slices"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// WaitOptions say how a command waits for keys.
type WaitOptions struct {
	// DeadlineMillis is the Unix millisecond at which it gives up, 0: never.
	DeadlineMillis int64
	// OnTimeout appends the reply of a command that has found nothing.
	OnTimeout func(out *resp.Writer)
	// WhenGone has the command run again, too, when a key it waits for goes or becomes
	// one of another type (XREADGROUP).
	WhenGone bool
}

// BlockOn makes a command that has found nothing wait for the keys at the arguments
// keyArgs, without a reply: it is run again, in the order in which clients blocked, once
// one of them is of the command's type (that of Spec.Group) and has become ready, and
// may call BlockOn again then. Within EXEC, and where a stream is applied, the command
// does not wait: onTimeout makes its reply. REQUIRES: nothing changed and no reply made.
//
// The arguments are copied as they stand: a handler replaces words that would mean
// another thing later (the $ of XREAD) before the call.
func (c *Ctx) BlockOn(deadlineMillis int64, onTimeout func(out *resp.Writer), keyArgs ...int) error {
	return c.BlockOnKeys(WaitOptions{DeadlineMillis: deadlineMillis, OnTimeout: onTimeout}, keyArgs...)
}

// BlockOnKeys is BlockOn with everything that can be said.
func (c *Ctx) BlockOnKeys(b WaitOptions, keyArgs ...int) error {
	switch {
	case c.InExec || c.Applying || c.Waits == nil:
		b.OnTimeout(c.Out)
	case c.serving != nil:
		c.blocked = c.serving // nothing for it yet: it keeps its places
	default:
		c.blocked = c.newWait(b, keyArgs)
	}
	return nil
}

// TakeWait returns what the command that has run waits for, or nil if it did not block.
func (c *Ctx) TakeWait() *Wait {
	w := c.blocked
	c.blocked = nil
	return w
}

// KeepDeadline has the next command that blocks give up when w would have: it is w's
// command that is run again.
func (c *Ctx) KeepDeadline(w *Wait) { c.kept = w }

// newWait enters a Wait for the present command. REQUIRES: the shards of its request
// locked or owned.
func (c *Ctx) newWait(b WaitOptions, keyArgs []int) *Wait {
	w := &Wait{table: c.Waits, whenGone: b.WhenGone, deadline: b.DeadlineMillis, onTimeout: b.OnTimeout, typ: c.Spec.waitType()}
	if c.kept != nil {
		w.deadline = c.kept.deadline
	}
	args := cloneArgs(c.Args)
	w.ctx = Ctx{
		Keyspace: c.Keyspace, Client: c.Client, Out: &w.out, MaxBulkBytes: c.MaxBulkBytes,
		Watches: c.Watches, Waits: c.Waits, Events: c.Events, serving: w, DB: c.DB,
	}
	w.out.RESP3 = c.Out.RESP3
	w.ctx.Begin(c.Spec, args, c.keyArg, c.keySlot)
	w.need, _ = w.ctx.lockMask()
	w.ctx.Held = w.need
	w.places = make([]waitPlace, 0, len(keyArgs))
	db := c.DB.DB()
	for _, i := range keyArgs {
		id := watchKey(appendWatchKey(nil, db, args[i]))
		if !slices.ContainsFunc(w.places, func(p waitPlace) bool { return p.id == id }) {
			w.places = append(w.places, waitPlace{id: id, slot: c.Slot(i)})
		}
	}
	refs, _ := c.Spec.AppendKeys(nil, args)
	for _, k := range refs {
		if k.Flags&(KeyRO|NotKey) == 0 && !slices.Contains(keyArgs, k.Arg) {
			w.targets = append(w.targets, watchKey(appendWatchKey(nil, db, args[k.Arg])))
		}
	}
	c.Waits.enter(w)
	return w
}

// cloneArgs copies args and their bytes.
func cloneArgs(args [][]byte) [][]byte {
	size := 0
	for _, a := range args {
		size += len(a)
	}
	slab := make([]byte, 0, size)
	out := make([][]byte, len(args))
	for i, a := range args {
		from := len(slab)
		slab = append(slab, a...)
		out[i] = slab[from:len(slab):len(slab)]
	}
	return out
}

// waitType returns the type of the values that a command of s can wait for.
func (s *Spec) waitType() engine.Type {
	switch s.Group {
	case "list":
		return engine.Type(1)
	case "sorted-set":
		return engine.Type(3)
	case "stream":
		return engine.Type(6)
	}
	return engine.TypeString
}

// Ready says that the key at argument i may now have something for those who wait for
// it: it came into being, got elements, or became one of another type. They are served
// when the command, or the EXEC or script it is part of, has ended. Keys that a command
// with Changed may have changed by its Spec are ready without it.
func (c *Ctx) Ready(i int) {
	if c.Waits != nil && c.Waits.Active() {
		c.ready(c.DB.DB(), c.Slot(i), c.Args[i])
	}
}

// ReadyIn is Ready for a key of any database, which need not be an argument. REQUIRES:
// the slot's shard locked or owned.
func (c *Ctx) ReadyIn(db int, slot slots.Slot, key []byte) {
	if c.Waits != nil && c.Waits.Active() {
		c.ready(db, slot, key)
	}
}

func (c *Ctx) ready(db int, slot slots.Slot, key []byte) {
	if q := c.Waits.find(db, slot, key); q != nil && !q.ready {
		q.ready = true
		c.readied = append(c.readied, q)
	}
}

// readyKeys makes the keys ready that the command may have changed.
func (c *Ctx) readyKeys() {
	if i := c.onlyArg; i != 0 {
		c.ready(c.DB.DB(), c.Slot(i), c.Args[i])
		return
	}
	var room [16]KeyRef
	for _, k := range c.mayChange(room[:0]) {
		if k.Flags&(KeyRO|NotKey) == 0 {
			c.ready(c.DB.DB(), c.Slot(k.Arg), c.Args[k.Arg])
		}
	}
}

// mayChange appends the keys of the request to dst, with flags that are those of the
// worst case.
func (c *Ctx) mayChange(dst []KeyRef) []KeyRef {
	if c.Spec.FindKeys != nil {
		keys, _ := c.Spec.FindKeys(nil, c.Args)
		return keys
	}
	keys, _ := c.Spec.keysByRule(dst, c.Args)
	return keys
}

// readyDatabase makes every key of a database ready that somebody waits for: of them
// that wait for its end only, or of all. REQUIRES: all shards locked or owned.
func (t *Waits) readyDatabase(c *Ctx, db int, all bool) {
	for _, queues := range t.shards {
		for _, q := range queues {
			if q.db() == db && (all || q.gone > 0) && !q.ready {
				q.ready = true
				c.readied = append(c.readied, q)
			}
		}
	}
}
