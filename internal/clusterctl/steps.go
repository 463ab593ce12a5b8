package clusterctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
)

// Bounds of single steps. Moving slots has none: it ends when the jobs end.
const (
	joinTimeout    = 20 * time.Second
	replicaTimeout = 60 * time.Second // the replica must have loaded its copy
	viewTimeout    = 20 * time.Second
)

func (s Step) apply(ctx context.Context, c *Conns, pr Progress) error {
	switch s.Action {
	case "assign-slots":
		return s.assignSlots(ctx, c)
	case "meet":
		return s.meet(ctx, c)
	case "replicate":
		return s.replicate(ctx, c)
	case "move-slots":
		return s.moveSlots(ctx, c, pr)
	case "forget":
		return s.forget(ctx, c)
	case "reset":
		return s.reset(ctx, c)
	}
	return fmt.Errorf("unknown step %q", s.Action)
}

func (s Step) slotSet() (slots.Set, error) {
	var set slots.Set
	for text := range strings.FieldsSeq(s.Slots) {
		r, err := ParseRange(text)
		if err != nil {
			return set, err
		}
		set.AddRange(r)
	}
	return set, nil
}

// rangeArgs returns "from", "to" pairs as ADDSLOTSRANGE and MIGRATESLOTS take them.
func rangeArgs(args []any, set *slots.Set) []any {
	for _, r := range set.Ranges() {
		args = append(args, int(r.From), int(r.To))
	}
	return args
}

func (s Step) assignSlots(ctx context.Context, c *Conns) error {
	want, err := s.slotSet()
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
	_, err = c.Do(ctx, s.Node, rangeArgs([]any{"CLUSTER", "ADDSLOTSRANGE"}, &want)...)
	return err
}

func (s Step) meet(ctx context.Context, c *Conns) error {
	id, err := c.Text(ctx, s.Node, "CLUSTER", "MYID")
	if err != nil {
		return err
	}
	host, port, err := splitAddr(s.Target)
	if err != nil {
		return err
	}
	joined := func() (bool, string, error) {
		st, err := c.State(ctx, s.Target)
		if err != nil {
			return false, err.Error(), nil
		}
		return st.Node(id) != nil, s.Target + " does not list " + s.Node + " yet", nil
	}
	if ok, _, _ := joined(); ok {
		return nil
	}
	if _, err := c.Do(ctx, s.Node, "CLUSTER", "MEET", host, port); err != nil {
		return err
	}
	return waitFor(ctx, joinTimeout, joined)
}

func (s Step) replicate(ctx context.Context, c *Conns) error {
	primary, err := c.Text(ctx, s.Target, "CLUSTER", "MYID")
	if err != nil {
		return err
	}
	if err := waitFor(ctx, viewTimeout, func() (bool, string, error) {
		st, err := c.State(ctx, s.Node)
		if err != nil {
			return false, err.Error(), nil
		}
		return st.Node(primary) != nil, s.Node + " has not heard of " + s.Target + " yet", nil
	}); err != nil {
		return err
	}
	st, err := c.State(ctx, s.Node)
	if err != nil {
		return err
	}
	if me := st.Node(st.Self); me == nil || me.Primary != primary {
		if _, err := c.Do(ctx, s.Node, "CLUSTER", "REPLICATE", primary); err != nil {
			return err
		}
	}
	return c.waitLinked(ctx, s.Node)
}

// waitLinked waits until the replica at addr has its copy and follows its primary.
func (c *Conns) waitLinked(ctx context.Context, addr string) error {
	return waitFor(ctx, replicaTimeout, func() (bool, string, error) {
		info, err := c.Fields(ctx, addr, "INFO", "replication")
		if err != nil {
			return false, err.Error(), nil
		}
		return info["role"] == "slave" && info["master_link_status"] == "up", addr + " is not linked to its primary yet", nil
	})
}

func (s Step) forget(ctx context.Context, c *Conns) error {
	if _, err := c.Do(ctx, s.Node, "CLUSTER", "FORGET", s.TargetID); err != nil {
		return err
	}
	return waitFor(ctx, viewTimeout, func() (bool, string, error) {
		st, err := c.State(ctx, s.Node)
		if err != nil {
			return false, err.Error(), nil
		}
		return st.Node(s.TargetID) == nil, s.Target + " is still listed", nil
	})
}

func (s Step) reset(ctx context.Context, c *Conns) error {
	// A primary without slots may still hold keys that it never served; they go with it.
	if _, err := c.Do(ctx, s.Node, "FLUSHALL"); err != nil && !strings.Contains(err.Error(), "READONLY") {
		return err
	}
	_, err := c.Do(ctx, s.Node, "CLUSTER", "RESET", "SOFT")
	return err
}
