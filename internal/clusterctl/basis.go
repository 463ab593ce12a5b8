package clusterctl

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
)

// basis is the topology that a plan was made for. The zero basis fits every cluster.
type basis struct {
	seed      string
	signature string
	jobs      []Migration // the slot moves that ran then
	inFlight  slots.Set
}

// survey reads the cluster of seed together with the slot moves that run in it.
func survey(ctx context.Context, c *Conns, seed string) (*State, basis, error) {
	st, err := c.State(ctx, seed)
	if err != nil {
		return nil, basis{}, err
	}
	jobs, err := c.Migrations(ctx, st)
	if err != nil {
		return nil, basis{}, err
	}
	// Once more, after the jobs: one that has ended since has then moved its slots here.
	if st, err = c.State(ctx, seed); err != nil {
		return nil, basis{}, err
	}
	b := basis{seed: seed}
	for _, j := range jobs {
		if !j.Running() {
			continue
		}
		set, err := parseRanges(j.Slots)
		if err != nil {
			return nil, basis{}, fmt.Errorf("job %s: %w", shortID(j.Name), err)
		}
		b.jobs = append(b.jobs, j)
		b.inFlight.Union(&set)
	}
	ahead := st.ahead(b.jobs)
	b.signature = ahead.Signature()
	return st, b, nil
}

// staleGrace is how long members may disagree about a change that has just been made
// before a plan counts as stale.
const staleGrace = 2 * time.Second

// holds returns ErrStalePlan unless the cluster is what the plan was made for. The end
// of a move that ran then is no change; its failure is.
func (b *basis) holds(ctx context.Context, c *Conns) error {
	if b.seed == "" {
		return nil
	}
	deadline := time.Now().Add(min(staleGrace, c.o.Timeout))
	for {
		_, now, err := survey(ctx, c, b.seed)
		if err != nil {
			return err
		}
		if now.signature == b.signature {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: run the command again to see a new one", ErrStalePlan)
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("interrupted: %w", ctx.Err())
		}
	}
}

// free returns what a member can give away now: its slots but for those already moving.
func (b *basis) free(n *Node) slots.Set {
	set := n.Slots
	set.Subtract(&b.inFlight)
	return set
}

// ahead returns the cluster as it will be when the running jobs have ended well.
func (s *State) ahead(jobs []Migration) *State {
	out := &State{Self: s.Self, Nodes: slices.Clone(s.Nodes)}
	for _, j := range jobs {
		set, err := parseRanges(j.Slots)
		target := out.Head(j.Target)
		if err != nil || target == nil {
			continue // survey has refused ranges that nobody can read
		}
		for i := range out.Nodes {
			out.Nodes[i].Slots.Subtract(&set)
		}
		target.Slots.Union(&set)
	}
	return out
}

// runningSteps returns the running moves that pick accepts as steps of a plan: applied,
// they are followed and not begun again.
func (b *basis) runningSteps(st *State, pick func(from, to *Node) bool) ([]Step, int) {
	var out []Step
	count := 0
	for _, j := range b.jobs {
		from, to := st.Head(j.Source), st.Head(j.Target)
		set, err := parseRanges(j.Slots)
		if from == nil || to == nil || err != nil || !pick(from, to) {
			continue
		}
		out = append(out, moveStep(from, to, &set))
		count += set.Len()
	}
	return out, count
}

func runningNote(n int) string {
	return fmt.Sprintf("%d of these slots are moving already; those moves are followed, not begun again", n)
}
