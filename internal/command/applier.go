package command

import (
	"errors"
	"fmt"
	"math"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// ErrNotApplicable is returned for a request that has no place in a stream of
// effects: unknown, malformed, or a command that changes no data.
var ErrNotApplicable = errors.New("command: not applicable from a stream")

// Request is one request of a stream and the database it is meant for.
type Request struct {
	DB   int
	Args [][]byte
}

// Applier runs the requests of a stream (replication, a slot move): it locks their
// shards, parking while somebody owns them, and runs the handlers in ModeApply, where
// expired keys are neither hidden nor deleted, with no gates and no reply. It belongs
// to one goroutine.
type Applier struct {
	table *Table
	ks    *engine.Keyspace
	ctx   Ctx
	out   resp.Writer
	one   [1]Request
}

// NewApplier returns an applier of t's commands to ks.
func NewApplier(t *Table, ks *engine.Keyspace) *Applier {
	a := &Applier{table: t, ks: ks}
	a.ctx.Keyspace, a.ctx.Out, a.ctx.Applying = ks, &a.out, true
	a.ctx.MaxBulkBytes = math.MaxInt64 // the limit was the sender's to keep, by its own settings
	a.ctx.DB = ks.Access(0, 0, engine.ModeApply)
	return a
}

// SetHearers names those who hear of the stream's changes.
func (a *Applier) SetHearers(h Hearers) {
	a.ctx.Watches, a.ctx.Waits, a.ctx.Events = h.Watches, h.Waits, h.Events
}

// Apply runs args in database db. locked, if not nil, is called once behind the run
// with the shards still held, and not where Apply returns an error. A *resp.Error
// within the error is the reply of the command: the data here is not the sender's.
func (a *Applier) Apply(db int, args [][]byte, locked func()) error {
	spec, mask, err := a.prepare(args)
	if err != nil {
		return err
	}
	a.ks.Lock(mask)
	err = a.run(spec, db, args, clock.WallMillis(), false)
	if errors.Is(err, ErrSlow) {
		a.ks.Unlock(mask)
		a.one[0] = Request{db, args}
		return a.applyOwning(mask, a.one[:], locked)
	}
	if err == nil && locked != nil {
		locked()
	}
	a.ctx.RetryReady()
	a.ks.Unlock(mask)
	return err
}

// ApplyTx runs cmds, the commands of one MULTI block, in database db under the union
// of their shards; see Apply.
func (a *Applier) ApplyTx(db int, cmds [][][]byte, locked func()) error {
	reqs := make([]Request, len(cmds))
	for i, args := range cmds {
		reqs[i] = Request{db, args}
	}
	return a.ApplyBlock(reqs, locked)
}

// ApplyBlock is ApplyTx for a block that changes its database on the way. Nothing is
// run if one request is not applicable.
func (a *Applier) ApplyBlock(reqs []Request, locked func()) error {
	var mask engine.ShardMask
	for _, r := range reqs {
		_, m, err := a.prepare(r.Args)
		if err != nil {
			return err
		}
		mask |= m
	}
	return a.applyOwning(mask, reqs, locked)
}

// applyOwning runs reqs as an owner of mask: a block may be long, and that a command
// is too slow for a mutex shows only once those before it have run.
func (a *Applier) applyOwning(mask engine.ShardMask, reqs []Request, locked func()) error {
	a.ks.Own(mask)
	defer a.ks.Disown(mask)
	defer a.ctx.RetryReady()
	now := clock.WallMillis()
	for _, r := range reqs {
		spec, _, err := a.prepare(r.Args)
		if err == nil {
			err = a.run(spec, r.DB, r.Args, now, true)
		}
		if err != nil {
			return err
		}
	}
	if locked != nil {
		locked()
	}
	return nil
}

// prepare finds the command and the shards of a request.
func (a *Applier) prepare(args [][]byte) (*Spec, engine.ShardMask, error) {
	if len(args) == 0 {
		return nil, 0, fmt.Errorf("empty request: %w", ErrNotApplicable)
	}
	spec, refused := a.table.Resolve(args)
	if refused != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrNotApplicable, refused)
	}
	if spec.Flags&(Write|MayReplicate) == 0 || spec.Run == nil || spec.Has(OffLoop) {
		return nil, 0, fmt.Errorf("%s: %w", spec.full, ErrNotApplicable)
	}
	a.begin(spec, args)
	mask, ok := a.ctx.LockMask()
	if !ok {
		return nil, 0, fmt.Errorf("%s: keys cannot be told: %w", spec.full, ErrNotApplicable)
	}
	return spec, mask, nil
}

func (a *Applier) begin(spec *Spec, args [][]byte) {
	key := spec.firstKey
	var slot slots.Slot
	if key != 0 {
		slot = slots.Of(args[key])
	}
	a.ctx.Begin(spec, args, key, slot)
}

// run runs one request. REQUIRES: its shards locked, or owned with owner set.
func (a *Applier) run(spec *Spec, db int, args [][]byte, now int64, owner bool) error {
	a.begin(spec, args)
	a.ctx.Use(db, now, engine.ModeApply)
	a.ctx.Owner = owner
	err := spec.Run(&a.ctx)
	if err == nil {
		a.ctx.End()
	}
	a.ctx.Emit(0)
	if cap(a.out.Buf) > SlowBytes {
		a.out.Buf = nil // one huge discarded reply must not be kept for ever
	}
	a.out.Buf = a.out.Buf[:0]
	if err != nil && !errors.Is(err, ErrSlow) {
		if reply, ok := ErrorReply(err); ok {
			err = reply
		}
		return fmt.Errorf("apply %s: %w", spec.full, err)
	}
	return err
}
