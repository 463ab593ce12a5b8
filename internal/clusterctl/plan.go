package clusterctl

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// Step is one change of a Plan. It is data: what it does is printed before it is
// done. Applying a step that has already taken effect changes nothing.
type Step struct {
	Action string `json:"action"` // "meet", "assign-slots", "replicate", "move-slots", "forget", "reset"
	Node   string `json:"node"`   // address of the node the command is sent to
	Target string `json:"target,omitempty"`
	// NodeID and TargetID are the ids behind Node and Target where they are known.
	NodeID   string `json:"node_id,omitempty"`
	TargetID string `json:"target_id,omitempty"`
	Slots    string `json:"slots,omitempty"` // ranges separated by spaces
	Count    int    `json:"slot_count,omitempty"`
}

// String says what the step does in one line.
func (s Step) String() string {
	switch s.Action {
	case "assign-slots":
		return fmt.Sprintf("%-21s takes %d slots (%s)", s.Node, s.Count, s.Slots)
	case "meet":
		return fmt.Sprintf("%-21s joins the cluster of %s", s.Node, s.Target)
	case "replicate":
		return fmt.Sprintf("%-21s becomes a replica of %s", s.Node, s.Target)
	case "move-slots":
		return fmt.Sprintf("%-21s gives %d slots to %s (%s)", s.Node, s.Count, s.Target, abbreviate(s.Slots))
	case "reset":
		return fmt.Sprintf("%-21s leaves the cluster and is reset", s.Node)
	case "forget":
		return fmt.Sprintf("%-21s is removed from the cluster", s.Target)
	}
	return s.Action + " " + s.Node
}

// abbreviate keeps a list of ranges readable.
func abbreviate(ranges string) string {
	const most = 60
	if len(ranges) <= most {
		return ranges
	}
	return ranges[:most] + " ..."
}

// Plan is what a command will do, in order.
type Plan struct {
	Title string   `json:"title"`
	Notes []string `json:"notes,omitempty"` // what the operator should know before confirming
	Steps []Step   `json:"steps"`
}

// Print writes the plan for people, or as JSON.
func (p *Plan) Print(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(p)
	}
	if _, err := fmt.Fprintf(w, "%s\n", p.Title); err != nil {
		return err
	}
	for i, s := range p.Steps {
		if _, err := fmt.Fprintf(w, "  %2d. %s\n", i+1, s); err != nil {
			return err
		}
	}
	if len(p.Steps) == 0 {
		if _, err := fmt.Fprintln(w, "  nothing to do"); err != nil {
			return err
		}
	}
	for _, n := range p.Notes {
		if _, err := fmt.Fprintf(w, "  note: %s\n", n); err != nil {
			return err
		}
	}
	return nil
}

// Progress is told how far a plan has come.
type Progress interface {
	// Step is called before step i of n begins.
	Step(i, n int, s Step)
	// Moved is called while slots move: done of total, in slots, and a word on the phase.
	Moved(done, total int, phase string)
	// Done is called when the current step has taken effect.
	Done()
}

// Apply runs the steps of p in order.
func (p *Plan) Apply(ctx context.Context, c *Conns, pr Progress) error {
	for i, s := range p.Steps {
		pr.Step(i, len(p.Steps), s)
		if err := s.apply(ctx, c, pr); err != nil {
			return fmt.Errorf("step %d of %d (%s): %w", i+1, len(p.Steps), s.Action, err)
		}
		pr.Done()
	}
	return nil
}
