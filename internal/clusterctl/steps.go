package clusterctl

import (
	"context"
	"fmt"
	"strings"

	"github.com/redwingdb/redwing/internal/slots"
)

// apply does every step but moves of slots, and waits until the cluster shows it.
func (s Step) apply(ctx context.Context, c *Conns) error {
	switch s.Action {
	case AssignSlots:
		return s.assignSlots(ctx, c)
	case Meet:
		return s.meet(ctx, c)
	case Replicate:
		return s.replicate(ctx, c)
	case Forget:
		return s.forget(ctx, c)
	case Reset:
		return s.reset(ctx, c)
	case Configure:
		return s.configure(ctx, c)
	case Verify:
		return WaitHealthy(ctx, c, s.Node, s.Nodes)
	}
	return fmt.Errorf("unknown step %q", s.Action)
}

// rangeArgs returns "from", "to" pairs as ADDSLOTSRANGE and MIGRATESLOTS take them.
func rangeArgs(args []any, set *slots.Set) []any {
	for _, r := range set.Ranges() {
		args = append(args, int(r.From), int(r.To))
	}
	return args
}

func (s Step) assignSlots(ctx context.Context, c *Conns) error {
	want, err := parseRanges(s.Slots)
	if err != nil {
		return err
	}
	st, err := c.State(ctx, s.Node)
	if err != nil {
		return err
	}
	if me := st.Node(st.Self); me != nil {
		want.Subtract(&me.Slots)
	}
	if want.Empty() {
		return nil
	}
	if covered := st.Covered(); covered.Intersects(&want) {
		return fmt.Errorf("%w: others own slots that %s should take", ErrStalePlan, s.Node)
	}
	_, err = c.Do(ctx, s.Node, rangeArgs([]any{"CLUSTER", "ADDSLOTSRANGE"}, &want)...)
	return err
}

func (s Step) meet(ctx context.Context, c *Conns) error {
	own, err := c.State(ctx, s.Node)
	if err != nil {
		return err
	}
	target, err := c.State(ctx, s.Target)
	if err != nil {
		return err
	}
	if target.Node(own.Self) == nil {
		host, port, err := splitAddr(s.Target)
		if err != nil {
			return err
		}
		if host, err = resolve(host); err != nil {
			return err
		}
		args := []any{"CLUSTER", "MEET", host, port}
		if t := target.Node(target.Self); t != nil {
			args = append(args, t.BusPort)
		}
		if _, err := c.Do(ctx, s.Node, args...); err != nil {
			return err
		}
	}
	return waitFor(ctx, c.o.Timeout, func() (bool, string, error) {
		there, err := c.State(ctx, s.Target)
		if err != nil {
			return false, err.Error(), nil
		}
		here, err := c.State(ctx, s.Node)
		if err != nil {
			return false, err.Error(), nil
		}
		ok := there.Node(own.Self) != nil && here.Node(target.Self) != nil
		return ok, s.Target + " and " + s.Node + " do not list each other yet", nil
	})
}

func (s Step) replicate(ctx context.Context, c *Conns) error {
	primary, err := c.Text(ctx, s.Target, "CLUSTER", "MYID")
	if err != nil {
		return err
	}
	if s.TargetID != "" && s.TargetID != primary {
		return fmt.Errorf("%w: %s is now node %s", ErrStalePlan, s.Target, shortID(primary))
	}
	var st *State
	if err := waitFor(ctx, c.o.Timeout, func() (bool, string, error) {
		if st, err = c.State(ctx, s.Node); err != nil {
			return false, err.Error(), nil
		}
		return st.Node(primary) != nil, s.Node + " has not heard of " + s.Target + " yet", nil
	}); err != nil {
		return err
	}
	if err := s.isNode(st); err != nil {
		return err
	}
	if me := st.Node(st.Self); me == nil || me.Primary != primary {
		if _, err := c.Do(ctx, s.Node, "CLUSTER", "REPLICATE", primary); err != nil {
			return err
		}
	}
	return waitFor(ctx, c.o.Timeout, func() (bool, string, error) {
		info, err := c.Fields(ctx, s.Node, "INFO", "replication")
		if err != nil {
			return false, err.Error(), nil
		}
		return info["role"] == "slave" && info["master_link_status"] == "up", s.Node + " is not linked to its primary yet", nil
	})
}

// isNode holds the node that answers at the step's address against the plan's.
func (s Step) isNode(st *State) error {
	if s.NodeID != "" && s.NodeID != st.Self {
		return fmt.Errorf("%w: %s is now node %s", ErrStalePlan, s.Node, shortID(st.Self))
	}
	return nil
}

func (s Step) forget(ctx context.Context, c *Conns) error {
	st, err := c.State(ctx, s.Node)
	if err != nil {
		return err
	}
	if st.Node(s.TargetID) != nil {
		if _, err := c.Do(ctx, s.Node, "CLUSTER", "FORGET", s.TargetID); err != nil {
			return err
		}
	}
	return waitFor(ctx, c.o.Timeout, func() (bool, string, error) {
		st, err := c.State(ctx, s.Node)
		if err != nil {
			return false, err.Error(), nil
		}
		return st.Node(s.TargetID) == nil, s.Target + " is still listed", nil
	})
}

func (s Step) reset(ctx context.Context, c *Conns) error {
	st, err := c.State(ctx, s.Node)
	if err != nil {
		return err
	}
	if err := s.isNode(st); err != nil {
		return err
	}
	if !st.formed() {
		return nil
	}
	// Emptying it is for good: it must have nothing that anybody else needs.
	me := st.Node(st.Self)
	if !me.Slots.Empty() || len(st.ReplicasOf(me.ID)) > 0 {
		return fmt.Errorf("%w: %s has slots or replicas again", ErrStalePlan, s.Node)
	}
	if me.IsPrimary() {
		// It may still hold keys that it never served; they go with it.
		if _, err := c.Do(ctx, s.Node, "FLUSHALL"); err != nil && !strings.Contains(err.Error(), "READONLY") {
			return err
		}
	}
	_, err = c.Do(ctx, s.Node, "CLUSTER", "RESET", "SOFT")
	return err
}
