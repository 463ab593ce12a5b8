package clusterctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redwingdb/redwing/internal/clusterctl/transfer"
)

// cutOver holds the writers, brings the rest over and compares. restarted is how often
// sources had begun anew: once more, and nothing holds.
func (r *importRun) cutOver(ctx context.Context, restarted int64) (err error) {
	began := time.Now()
	stop, err := r.hold(ctx)
	if err != nil {
		return err
	}
	defer func() { stop(err == nil) }()
	limit, cancel := context.WithTimeoutCause(ctx, r.c.o.Timeout, fmt.Errorf("%w: the cut-over took longer than %v", ErrTimeout, r.c.o.Timeout))
	defer cancel()
	r.watch(true)
	defer r.watch(false)
	if _, err := r.drain(limit); err != nil {
		return r.unsettled(limit, err)
	}
	var res *ImportResult
	var offsets []int64
	for quiet := false; !quiet; {
		res = &ImportResult{}
		if offsets, quiet, err = r.agree(limit, res); err != nil {
			return r.unsettled(limit, err)
		}
	}
	s := r.sum()
	if err := r.sameTopology(ctx); err != nil {
		return err
	}
	res.Keys, res.Recopied, res.Writes, res.Resumed, res.Restarted = s.Keys, s.Recopied, s.Writes, s.Resumed, s.Restarted
	res.Expired = s.Ends
	for i := range res.Sources {
		res.Sources[i].Offset = offsets[i]
	}
	err = r.still(func() error {
		for _, addr := range r.target.Confirm() {
			res.Notes = append(res.Notes, noFollower(addr))
		}
		if r.sum().Restarted != restarted {
			return transfer.ErrRestarted
		}
		if !r.clean() {
			return transfer.ErrLost
		}
		if err := r.mark("DEL"); err != nil {
			return err
		}
		r.stop() // none of them writes any more
		return nil
	})
	if err != nil {
		return cause(ctx, err)
	}
	res.PausedMS = time.Since(began).Milliseconds()
	if s.Libraries > 0 {
		res.Notes = append(res.Notes, fmt.Sprintf("%d function libraries of the source were not copied", s.Libraries))
	}
	r.p.Result = res
	return nil
}

// clean reports whether the cluster has all that the flows have written. REQUIRES: the gate
// is held for writing.
func (r *importRun) clean() bool {
	return !slices.ContainsFunc(r.flows, func(f *transfer.Flow) bool { return !f.Clean() })
}

// watch has the flows tell what expires from what clients write, or not any more.
func (r *importRun) watch(on bool) {
	for _, f := range r.flows {
		f.Watch(on)
	}
}

// quietAfter is how long to wait for writers that should have been stopped, at a time.
const quietAfter = 200 * time.Millisecond

// agree compares both sides; quiet says that no client wrote meanwhile. Who does although
// the writers are held makes it fail; with --no-pause they may need a moment yet.
func (r *importRun) agree(ctx context.Context, res *ImportResult) (offsets []int64, quiet bool, err error) {
	r.watch(true)
	before := r.sum().Writes
	err = r.compare(ctx, res)
	var drained error
	if offsets, drained = r.drain(ctx); drained != nil {
		return nil, false, drained
	}
	s := r.sum()
	n := s.Writes - before
	switch {
	case n == 0:
		return offsets, true, err
	case !r.p.o.NoPause:
		return nil, false, fmt.Errorf("the source was written to %d times during the cut-over, such as %s: its writers were not held", n, s.LastWrite)
	}
	if !r.told {
		r.told = true
		r.pr.Say("the source is still being written to, such as " + s.LastWrite + ": the cut-over waits for its writers to stop")
	}
	if !sleep(ctx, quietAfter) {
		return nil, false, ctx.Err()
	}
	return nil, false, nil
}

// unsettled is cause, and says if clients were writing to a source whose writers are not
// held.
func (r *importRun) unsettled(limit context.Context, err error) error {
	if s := r.sum(); r.p.o.NoPause && s.LastWrite != "" && errors.Is(limit.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: for %v the source went on being written to, such as %s: stop its writers, or have them held (without --no-pause)", ErrTimeout, r.c.o.Timeout, s.LastWrite)
	}
	return cause(limit, err)
}

// cause prefers the reason why a context has ended to what that led to.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// hold keeps the writers of all sources waiting until stop is called; for the pause more
// if what they wait for has succeeded.
func (r *importRun) hold(ctx context.Context) (stop func(ok bool), err error) {
	if r.p.o.NoPause {
		return func(bool) {}, nil
	}
	var conns []*transfer.Conn
	closeAll := func() {
		for _, c := range conns {
			c.Close()
		}
	}
	// An interruption must not keep the writers from being let go.
	whole := context.WithoutCancel(ctx)
	for i := range r.p.sources.list {
		conn, err := transfer.Dial(whole, r.p.from(r.p.sources.list[i].Addr, r.c))
		if err != nil {
			closeAll()
			return nil, err
		}
		conns = append(conns, conn)
	}
	pause := func() error {
		for _, c := range conns {
			if _, err := c.Do("CLIENT", "PAUSE", strconv.FormatInt(r.p.o.Pause.Milliseconds(), 10), "WRITE"); err != nil {
				return err
			}
		}
		return nil
	}
	release := func() {
		for _, c := range conns {
			_, _ = c.Do("CLIENT", "UNPAUSE") // else the pause ends by itself
		}
	}
	if err := pause(); err != nil {
		release()
		closeAll()
		return nil, err
	}
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(r.p.o.Pause / 3)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if pause() != nil {
					return // what was written then is found by the last look
				}
			case <-end:
				return
			}
		}
	}()
	return func(ok bool) {
		close(end)
		<-done
		switch {
		case !ok:
			release()
		case pause() != nil:
			r.p.Result.Notes = append(r.p.Result.Notes, "writers of the source could not be held longer: they may write there again")
		default:
			r.p.Result.Notes = append(r.p.Result.Notes, fmt.Sprintf("writers of the source are held for %v more: let the clients go to the cluster now", r.p.o.Pause))
		}
		closeAll()
	}, nil
}

// drain brings the target to what the sources are now, expiries included; it returns their
// offsets.
func (r *importRun) drain(ctx context.Context) ([]int64, error) {
	offsets := make([]int64, len(r.flows))
	for i, f := range r.flows {
		conn, err := transfer.Dial(ctx, r.p.from(r.p.sources.list[i].Addr, r.c))
		if err != nil {
			return nil, err
		}
		info, err := conn.Do("INFO", "replication")
		conn.Close()
		if err != nil {
			return nil, err
		}
		offsets[i] = number(transfer.Field(info.String(), "master_repl_offset"))
		if err := f.Drain(ctx, transfer.Field(info.String(), "master_replid"), offsets[i]); err != nil {
			return nil, err
		}
	}
	return offsets, r.nearExpiries()
}

// sameTopology refuses slots that have moved within the source.
func (r *importRun) sameTopology(ctx context.Context) error {
	if !r.p.sources.cluster {
		return nil
	}
	st, err := foreignState(ctx, r.p.from(r.p.sources.list[0].Addr, r.c))
	if err != nil {
		return err
	}
	if st.Signature() != r.p.sources.signature {
		return fmt.Errorf("%w: slots or roles have changed within the source", ErrStalePlan)
	}
	return nil
}
