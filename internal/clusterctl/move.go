package clusterctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
)

// flow is a step's slots on their way to the target, while they are followed.
type flow struct {
	step Step
	want slots.Set
}

// moveSlots asks the sources of all steps for atomic moves, then follows the jobs until
// the cluster shows the targets as the owners. Slots that a target owns already, or
// that are on their way to it, are not asked for again, so interrupted steps can be
// applied again. Source and target are the shards of the nodes that the steps name:
// they may fail over at any time.
func (c *Conns) moveSlots(ctx context.Context, steps []Step, pr Progress) error {
	members, jobs, err := c.moveState(ctx, endsOf(steps))
	if err != nil {
		return err
	}
	f := &follower{c: c, members: members, ended: map[string]bool{}, pr: pr}
	for i := range jobs {
		f.ended[jobs[i].Name] = !jobs[i].Running()
	}
	// An interruption does not cut the beginning short: so the same command makes the
	// same plan again.
	whole := context.WithoutCancel(ctx)
	for _, s := range steps {
		want, err := parseRanges(s.Slots)
		if err != nil {
			return err
		}
		if err := c.beginMove(whole, s, want); err != nil {
			if n := len(f.flows); n > 0 {
				err = fmt.Errorf("%w; %d moves begun before it go on in the cluster", err, n)
			}
			return err
		}
		f.flows = append(f.flows, flow{s, want})
		f.total += want.Len()
	}
	return f.run(ctx)
}

// moveState reads the topology and the jobs from whoever of addrs answers, the topology
// after the jobs: what has moved is in the one or the other.
func (c *Conns) moveState(ctx context.Context, addrs []string) (*State, []Migration, error) {
	st, err := c.AnyState(ctx, addrs)
	if err != nil {
		return nil, nil, err
	}
	jobs, err := c.Migrations(ctx, st)
	if err != nil {
		return nil, nil, err
	}
	st, err = c.AnyState(ctx, addrs)
	return st, jobs, err
}

func endsOf(steps []Step) []string {
	var out []string
	for _, s := range steps {
		out = append(out, s.Node, s.Target)
	}
	return out
}

// beginMove opens the job for what of the step's slots is neither moved nor moving.
// Members may disagree for a moment about a move that has just ended, so it asks again
// before it takes a refusal.
func (c *Conns) beginMove(ctx context.Context, s Step, want slots.Set) error {
	deadline := time.Now().Add(min(staleGrace, c.o.Timeout))
	for {
		err := c.tryBegin(ctx, s, want)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(followEvery)
	}
}

func (c *Conns) tryBegin(ctx context.Context, s Step, rest slots.Set) error {
	st, jobs, err := c.moveState(ctx, []string{s.Node, s.Target})
	if err != nil {
		return err
	}
	source, target := st.Head(s.NodeID), st.Head(s.TargetID)
	if target == nil {
		return fmt.Errorf("%w: %s is no longer a member", ErrStalePlan, s.Target)
	}
	rest.Subtract(&target.Slots)
	for i := range jobs {
		if j := &jobs[i]; j.Running() && j.Target == target.ID {
			moving, err := parseRanges(j.Slots)
			if err != nil {
				return err
			}
			rest.Subtract(&moving)
		}
	}
	if rest.Empty() {
		return nil
	}
	if source == nil || !source.Slots.Contains(&rest) {
		return fmt.Errorf("%w: %s no longer owns all of the slots", ErrStalePlan, s.Node)
	}
	args := rangeArgs([]any{"CLUSTER", "MIGRATESLOTS", "SLOTSRANGE"}, &rest)
	_, err = c.Do(ctx, source.Addr, append(args, "NODE", target.ID)...)
	return err
}

// follower watches jobs. It is used by one goroutine.
type follower struct {
	c       *Conns
	pr      Progress
	flows   []flow
	total   int             // slots
	ended   map[string]bool // jobs that had ended before
	members *State          // the newest state: whom to ask

	seen       string
	lastChange time.Time
}

// followEvery is how often a follower looks.
const followEvery = 100 * time.Millisecond

func (f *follower) run(ctx context.Context) error {
	f.lastChange = time.Now()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		over, err := f.look(ctx)
		if over || err != nil {
			return err
		}
		if time.Since(f.lastChange) > f.c.o.Timeout {
			return fmt.Errorf("%w: no progress for %v; the moves go on in the cluster, clusterctl migrations shows them", ErrTimeout, f.c.o.Timeout)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: %w; the moves go on in the cluster: run the same command again, or clusterctl migrations --watch, to follow them", ctx.Err())
		}
	}
}

// look reads the cluster once. It reports true when every slot is where it belongs. A
// cluster that does not answer at all is left to the timeout.
func (f *follower) look(ctx context.Context) (over bool, err error) {
	st, err := f.c.AnyState(ctx, f.members.addrs())
	if err != nil {
		return false, nil
	}
	f.members = st
	left, err := f.left(st)
	if err != nil {
		return false, err
	}
	if left == 0 {
		f.pr.Moved(f.total, f.total, 1, "done")
		return true, nil
	}
	jobs, err := f.c.Migrations(ctx, st)
	if err != nil {
		return false, nil
	}
	var running []Migration
	for i := range f.flows {
		mine, err := f.jobsOf(st, &f.flows[i], jobs)
		if err != nil {
			return false, err
		}
		running = append(running, mine...)
	}
	phase := "waiting"
	if len(running) > 0 {
		phase = phases(running)
	}
	f.pr.Moved(f.total-left, f.total, share(f.total-left, f.total, running), phase)
	if now := fmt.Sprint(left, phase); now != f.seen {
		f.seen, f.lastChange = now, time.Now()
	}
	return false, nil
}

// left returns how many slots have not arrived.
func (f *follower) left(st *State) (n int, err error) {
	for i := range f.flows {
		set, err := f.flows[i].left(st)
		if err != nil {
			return 0, err
		}
		n += set.Len()
	}
	return n, nil
}

func (w *flow) left(st *State) (slots.Set, error) {
	target := st.Head(w.step.TargetID)
	if target == nil {
		return slots.Set{}, fmt.Errorf("%w: %s is no longer a member", ErrStalePlan, w.step.Target)
	}
	left := w.want
	left.Subtract(&target.Slots)
	return left, nil
}

// jobsOf returns the running jobs of a flow, or an error if its newest job has ended
// without moving the slots.
func (f *follower) jobsOf(st *State, w *flow, jobs []Migration) (running []Migration, err error) {
	left, err := w.left(st)
	if err != nil || left.Empty() {
		return nil, err
	}
	target := st.Head(w.step.TargetID).ID
	var last *Migration
	for i := range jobs {
		j := &jobs[i]
		if f.ended[j.Name] || j.Target != target || !j.covers(&left) {
			continue
		}
		if j.Running() {
			running = append(running, *j)
		} else if last == nil {
			last = j // the listing has the newest first
		}
	}
	if len(running) == 0 && last != nil && !last.succeeded() { // a success has not been seen here yet
		return nil, fmt.Errorf("the move from %s to %s ended before %d slots had moved: %s",
			w.step.Node, w.step.Target, left.Len(), strings.TrimSpace(last.State+" "+last.Message))
	}
	return running, nil
}

// addrs returns the addresses of the members, those that live first.
func (s *State) addrs() []string {
	var alive, failed []string
	for i := range s.Nodes {
		if n := &s.Nodes[i]; n.Failed() {
			failed = append(failed, n.Addr)
		} else {
			alive = append(alive, n.Addr)
		}
	}
	return append(alive, failed...)
}
