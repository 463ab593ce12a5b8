package clusterctl

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redwingdb/redwing/internal/clusterctl/transfer"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/commands"
	"github.com/redwingdb/redwing/internal/commands/keys"
)

// importRun carries an Import out:
//
//	flush --> load the RDBs --> follow the streams until the lag is small
//	      --> put far expiries right --> hold the writers --> drain, and put near expiries right
//	      --> compare --> stop the flows --> done
//
// Where a source begins anew behind the first of these, the writers are let go and all from
// "follow" on is done again.
type importRun struct {
	p  *Import
	c  *Conns
	pr Progress

	target *transfer.Target
	flows  []*transfer.Flow
	// stop ends the flows for good.
	stop  context.CancelFunc
	gate  sync.RWMutex // the flows hold it, for reading, while they write
	marks *transfer.Sender
	// near are the keys whose expiry is to be put right when the streams have ended, and the
	// hashes with fields of which the same is true.
	near, nearFields []string
	told             bool // that the source is still being written to
	u                *transfer.Unshifter
}

// Bounds of the lag at which the cut-over begins.
const (
	cutOverBytes = 64 << 10
	cutOverDirty = 256
	cutOverTries = 5
	lookEvery    = 20 * time.Millisecond
)

// run ends with the first error, be it of a flow, which ends the context of all.
func (r *importRun) run(ctx context.Context) (err error) {
	p := r.p
	for i, s := range p.Steps {
		if s.Action == Flush {
			r.pr.Step(i, len(p.Steps), s)
			if err := r.flush(ctx, s.Node); err != nil {
				return err
			}
			r.pr.Done()
		}
	}
	table, err := command.NewTable(commands.OnKeys(keys.Deps{})...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r.target = transfer.NewTarget(ctx, r.c.targetOptions(p.seed))
	var running sync.WaitGroup
	following, stop := context.WithCancel(ctx)
	r.stop = stop
	defer func() {
		stop()
		if err != nil {
			err = cause(ctx, err)
		}
		cancel(nil)
		r.target.Close()
		running.Wait()
	}()
	r.marks = r.target.Sender(nil, nil)
	r.u = transfer.NewUnshifter(ctx, r.c.targetOptions(p.seed))
	defer r.u.Close()
	if err := r.mark("SET", p.marker()); err != nil {
		return err
	}
	for i, s := range p.Steps {
		if s.Action != Copy {
			continue
		}
		r.pr.Step(i, len(p.Steps), s)
		f := transfer.NewFlow(transfer.FlowOptions{
			From: p.from(s.Node, r.c), DB: p.db, Table: table, Target: r.target, TempDir: p.o.TempDir, Gate: &r.gate, Tell: r.pr.Say,
		})
		r.flows = append(r.flows, f)
		running.Go(func() {
			cancel(f.Run(following)) // it ends by an error alone, or with its context
		})
	}
	restarted, err := r.catchUp(ctx)
	if err != nil {
		return err
	}
	r.pr.Done()
	if p.o.Confirm != nil {
		if err := p.o.Confirm(ctx, p.question()); err != nil {
			return err
		}
	}
	r.pr.Step(len(p.Steps)-1, len(p.Steps), p.Steps[len(p.Steps)-1])
	for range cutOverTries {
		before := r.sum()
		if err = r.tryCutOver(ctx, restarted); err == nil || ctx.Err() != nil {
			return err
		}
		now := r.sum()
		broken := now.Down != "" || now.Resumed > before.Resumed || now.Restarted > restarted
		if !broken && !errors.Is(err, transfer.ErrRestarted) && !errors.Is(err, transfer.ErrLost) && !transfer.Broken(err) {
			return err
		}
		r.pr.Say("a connection broke during the cut-over, which is put off: " + err.Error())
		if restarted, err = r.catchUp(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("connections broke during %d cut-overs: %w", cutOverTries, err)
}

// tryCutOver cuts over, unless sources begin anew: restarted is how often they had when they
// were last known to be followed. What is put right of their expiries is void otherwise.
func (r *importRun) tryCutOver(ctx context.Context, restarted int64) error {
	if err := r.farExpiries(ctx); err != nil {
		return err
	}
	now, err := r.catchUp(ctx)
	if err != nil {
		return err
	}
	if now != restarted {
		return transfer.ErrRestarted
	}
	return r.cutOver(ctx, restarted)
}

// flush empties a primary, and waits for a replica to be empty too: one that took over
// before that would bring back what is gone.
func (r *importRun) flush(ctx context.Context, addr string) error {
	conn, err := transfer.Dial(ctx, r.c.endpoint(addr))
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Do("FLUSHALL"); err != nil {
		return err
	}
	st, err := r.c.AnyState(ctx, []string{r.p.seed})
	if err != nil {
		return err
	}
	n, err := st.Find(addr)
	if err != nil || !st.followed(n) {
		return err
	}
	limit := r.c.o.Timeout / 2 // more, and the connection counts as stalled
	copies, err := conn.Do("WAIT", "1", strconv.FormatInt(limit.Milliseconds(), 10))
	if err == nil && copies.Int == 0 {
		err = fmt.Errorf("%w: no replica of %s has followed its FLUSHALL for %v", ErrTimeout, addr, limit)
	}
	return err
}

func (p *Import) question() string {
	if p.o.NoPause {
		return "the copy has caught up. Cut over: have you stopped the writers of the source?"
	}
	return "the copy has caught up. Cut over: hold the writers of the source now?"
}

// mark sets or deletes markerKey.
func (r *importRun) mark(command string, value ...string) error {
	op := transfer.Op{Keys: [][]byte{[]byte(markerKey)}, Args: [][]byte{[]byte(command), []byte(markerKey)}}
	for _, v := range value {
		op.Args = append(op.Args, []byte(v))
	}
	_, err := r.marks.Call(op)
	return err
}

// Expiries at least so far ahead are put right while the streams are followed: more than
// the rest of the import takes.
const (
	farLeast = 10 * time.Minute
	// farShare is how many keys, of those with an expiry, are allowed a second.
	farShare = 5000
)

// still runs f while the flows stand still and all that they have sent is answered.
func (r *importRun) still(f func() error) error {
	r.gate.Lock()
	defer r.gate.Unlock()
	for _, flow := range r.flows {
		if err := flow.Settle(); err != nil {
			return err
		}
	}
	return f()
}

// farExpiries puts right what is far ahead. Keys that expire sooner keep a shifted expiry
// until the streams have ended.
func (r *importRun) farExpiries(ctx context.Context) error {
	var volatile int64
	for i := range r.p.sources.list {
		volatile += r.p.sources.list[i].Expires
	}
	far := time.Now().Add(max(farLeast, time.Duration(volatile/farShare)*time.Second)).UnixMilli()
	if err := r.still(func() error {
		for _, f := range r.flows {
			r.u.Take(f.Expiries())
			f.Expiries().Settle(far)
		}
		return nil
	}); err != nil {
		return err
	}
	err := r.u.All(far, func(f func() error) error {
		err := r.still(f)
		r.pr.Copied(min(.99, share64(r.u.Put, volatile)), fmt.Sprintf("%d expiries put right", r.u.Put))
		return err
	})
	// Fields that a cut-over before took, and did not come to, stay with them: keys are found.
	r.near, r.nearFields = r.u.Left, append(r.nearFields, r.u.LeftFields...)
	return err
}

// nearExpiries puts right what is left. The sources are not written to any more.
func (r *importRun) nearExpiries() error {
	changed, err := r.u.Changed()
	if err != nil {
		return err
	}
	if changed {
		if err := r.u.All(0, r.still); err != nil {
			return err
		}
	}
	return r.still(func() error {
		for _, f := range r.flows {
			r.near = append(r.near, f.Expiries().TakeNear()...)
			r.nearFields = append(r.nearFields, f.Expiries().TakeNearFields()...)
		}
		if err := r.u.Keys(r.near); err != nil {
			return err
		}
		if err := r.u.Fields(r.nearFields); err != nil {
			return err
		}
		r.near, r.nearFields = nil, nil
		return nil
	})
}

// catchUp waits until every stream is followed closely, and returns how often sources had
// begun anew then. It gives up when nothing gets any further for the timeout.
func (r *importRun) catchUp(ctx context.Context) (restarted int64, err error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var best, keys int64
	since, shown := time.Now(), time.Time{}
	for {
		s := r.sum()
		if s.Restarted > restarted {
			best, keys, restarted, since = 0, 0, s.Restarted, time.Now()
		}
		if s.Down != "" {
			since = time.Now() // the link has a limit of its own
		}
		if s.Down == "" && s.Phase == transfer.Following && s.Lag <= cutOverBytes && s.Dirty <= cutOverDirty {
			r.pr.Copied(1, s.text(r.p.sources.keys()))
			return s.Restarted, nil
		}
		if s.Keys > keys || s.Phase == transfer.Following && (best == 0 || s.Lag < best) {
			keys, best, since = s.Keys, s.Lag, time.Now()
		}
		if time.Since(since) > r.c.o.Timeout {
			return 0, fmt.Errorf("%w: the copy does not catch up, %s", ErrTimeout, s.text(r.p.sources.keys()))
		}
		if time.Since(shown) > showEvery {
			shown = time.Now()
			r.pr.Copied(share64(s.Keys, max(1, r.p.sources.keys())), s.text(r.p.sources.keys()))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// flowSum is the state of all flows together.
type flowSum struct{ transfer.FlowState }

func (r *importRun) sum() flowSum {
	out := flowSum{transfer.FlowState{Phase: transfer.Following}}
	for _, f := range r.flows {
		s := f.State()
		out.Phase = min(out.Phase, s.Phase)
		out.Keys += s.Keys
		out.Lag += s.Lag
		out.Dirty += s.Dirty
		out.Recopied += s.Recopied
		out.Writes += s.Writes
		out.Libraries += s.Libraries
		out.Ends += s.Ends
		if s.LastWrite != "" {
			out.LastWrite = s.LastWrite
		}
		out.Resumed += s.Resumed
		out.Restarted += s.Restarted
		if out.Down == "" {
			out.Down = s.Down
		}
	}
	return out
}

func (s *flowSum) text(all int64) string {
	text := ""
	switch s.Phase {
	case transfer.Starting:
		text = "waiting for the source's snapshot"
	case transfer.Loading:
		text = fmt.Sprintf("%d of about %d keys", s.Keys, all)
	default:
		text = fmt.Sprintf("%d keys, following %s behind", s.Keys, bytesText(s.Lag))
	}
	if s.Dirty > 0 {
		text += fmt.Sprintf(", %d keys to be read again", s.Dirty)
	}
	if s.Down != "" {
		text += "; " + s.Down
	}
	return text
}
