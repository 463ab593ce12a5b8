package clusterctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
)

// stallTimeout is how long a move may go without any progress before the tool gives
// up watching. The job itself goes on in the cluster.
const stallTimeout = 2 * time.Minute

// moveSlots asks the source for an atomic move of the step's slots and follows the
// job until the cluster shows the target as their owner. Slots that the target owns
// already are left out, so an interrupted step can be applied again.
func (s Step) moveSlots(ctx context.Context, c *Conns, pr Progress) error {
	want, err := s.slotSet()
	if err != nil {
		return err
	}
	total := want.Len()
	st, err := c.State(ctx, s.Node)
	if err != nil {
		return err
	}
	source, target := st.Node(s.NodeID), st.Node(s.TargetID)
	if source == nil || target == nil {
		return fmt.Errorf("%w: %s or %s is no longer a member", ErrStalePlan, s.Node, s.Target)
	}
	rest := want
	rest.Subtract(&target.Slots)
	if rest.Empty() {
		return nil
	}
	if !source.Slots.Contains(&rest) {
		return fmt.Errorf("%w: %s no longer owns all of the slots", ErrStalePlan, s.Node)
	}
	running, err := c.Migrations(ctx, s.Node)
	if err != nil {
		return err
	}
	if !anyRunning(running, s.TargetID) {
		args := rangeArgs([]any{"CLUSTER", "MIGRATESLOTS", "SLOTSRANGE"}, &rest)
		if _, err := c.Do(ctx, s.Node, append(args, "NODE", s.TargetID)...); err != nil {
			return err
		}
	}
	return c.followMove(ctx, s, want, total, pr)
}

func anyRunning(jobs []Migration, target string) bool {
	for _, j := range jobs {
		if j.Running() && j.Target == target {
			return true
		}
	}
	return false
}

// followMove polls until every slot of want belongs to the target. It asks whichever
// end answers: source and target may fail over while the job runs.
func (c *Conns) followMove(ctx context.Context, s Step, want slots.Set, total int, pr Progress) error {
	var seen string
	lastChange := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		st, addr, err := c.AnyState(ctx, []string{s.Node, s.Target})
		if err == nil {
			target := st.Node(s.TargetID)
			if target == nil {
				return fmt.Errorf("%w: %s is no longer a member", ErrStalePlan, s.Target)
			}
			left := want
			left.Subtract(&target.Slots)
			if left.Empty() {
				pr.Moved(total, total, "done")
				return nil
			}
			jobs, err := c.Migrations(ctx, addr)
			if err != nil {
				return err
			}
			phase, over := describeJobs(jobs, s.TargetID, &left)
			if over != "" {
				return fmt.Errorf("the move ended before %d slots had moved: %s", left.Len(), over)
			}
			pr.Moved(total-left.Len(), total, phase)
			if now := fmt.Sprint(left.Len(), phase); now != seen {
				seen, lastChange = now, time.Now()
			}
		}
		if time.Since(lastChange) > stallTimeout {
			return fmt.Errorf("%w: no progress for %v; the job goes on, see clusterctl migrations", ErrTimeout, stallTimeout)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w (the job goes on in the cluster; clusterctl migrations shows it)", ctx.Err())
		}
	}
}

// describeJobs returns the phase of the job that moves left to target, or why no
// such job runs any more.
func describeJobs(jobs []Migration, target string, left *slots.Set) (phase, over string) {
	var last Migration
	for _, j := range jobs {
		if j.Target != target || !j.covers(left) {
			continue
		}
		if j.Running() {
			return j.Phase(), ""
		}
		if last.Name == "" {
			last = j // the listing has the newest first
		}
	}
	if last.Name == "" || last.succeeded() {
		return "waiting", "" // about to start, or committed and not yet seen here
	}
	return "", strings.TrimSpace(last.State + " " + last.Message)
}
