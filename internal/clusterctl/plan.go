package clusterctl

import (
	"context"
	"fmt"
	"io"
)

// Step is one change of a Plan. It is data: what it does is printed before it is
// done. Applying a step that has already taken effect changes nothing.
type Step struct {
	Action Action `json:"action"`
	Node   string `json:"node"` // address of the node the command is sent to
	Target string `json:"target,omitempty"`
	// NodeID and TargetID are the ids behind Node and Target where they are known.
	NodeID   string `json:"node_id,omitempty"`
	TargetID string `json:"target_id,omitempty"`
	Slots    string `json:"slots,omitempty"` // ranges separated by spaces
	Count    int    `json:"slot_count,omitempty"`
	Nodes    int    `json:"nodes,omitempty"`    // how many members there must be at least
	Settings string `json:"settings,omitempty"` // name, value, ... separated by spaces
	Keys     int64  `json:"keys,omitempty"`     // about so many are copied
	Bytes    int64  `json:"bytes,omitempty"`    // that Node uses for its data
}

// Action is what a step does.
type Action string

// The actions of steps.
const (
	Meet        Action = "meet"         // Node joins the cluster of Target
	AssignSlots Action = "assign-slots" // Node takes Slots, which nobody owns
	Replicate   Action = "replicate"    // Node becomes a replica of Target
	MoveSlots   Action = "move-slots"   // Node gives Slots to Target, with their keys
	Reset       Action = "reset"        // Node leaves its cluster and is emptied
	Forget      Action = "forget"       // Node takes Target out of the cluster
	Configure   Action = "configure"    // Settings hold for the cluster, by way of Node
	Verify      Action = "verify"       // wait until every member agrees and serves
	Save        Action = "save"         // the data of Node's shard (Slots) are written to the file Target
	Load        Action = "load"         // the file Node is read into the cluster of Target
	Flush       Action = "flush"        // Node deletes all of its keys
	Copy        Action = "copy"         // the keys of the server Node are copied to the cluster of Target, and its stream is followed
	CutOver     Action = "cut-over"     // Node's writers are held, the rest is copied, both sides are compared
)

// String says what the step does in one line.
func (s Step) String() string {
	switch s.Action {
	case AssignSlots:
		return fmt.Sprintf("%-21s takes %d slots (%s)", s.Node, s.Count, abbreviate(s.Slots))
	case Meet:
		return fmt.Sprintf("%-21s joins the cluster of %s", s.Node, s.Target)
	case Replicate:
		return fmt.Sprintf("%-21s becomes a replica of %s", s.Node, s.Target)
	case MoveSlots:
		return fmt.Sprintf("%-21s gives %d slots to %s (%s)", s.Node, s.Count, s.Target, abbreviate(s.Slots))
	case Reset:
		return fmt.Sprintf("%-21s leaves the cluster and is reset", s.Node)
	case Forget:
		return fmt.Sprintf("%-21s is removed from the cluster", s.Target)
	case Configure:
		return fmt.Sprintf("%-21s is told for all: %s", s.Node, s.Settings)
	case Save:
		return fmt.Sprintf("%-21s is read into %s, %d slots (%s)", s.Node, s.Target, s.Count, abbreviate(s.Slots))
	case Load:
		return fmt.Sprintf("%-21s is read into the cluster of %s: %d keys, %s", s.Node, s.Target, s.Keys, bytesText(s.Bytes))
	case Flush:
		return fmt.Sprintf("%-21s is emptied: %d keys are deleted", s.Node, s.Keys)
	case Copy:
		return fmt.Sprintf("%-21s is copied and followed: about %d keys, %s", s.Node, s.Keys, bytesText(s.Bytes))
	case CutOver:
		return fmt.Sprintf("%-21s is cut over from, and compared with the cluster", s.Node)
	case Verify:
		return fmt.Sprintf("%-21s and the others agree and serve", s.Node)
	}
	return string(s.Action) + " " + s.Node
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

	basis basis
}

// Print writes the plan for people, or as JSON.
func (p *Plan) Print(w io.Writer, asJSON bool) error {
	if asJSON {
		return PrintJSON(w, p)
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

// Empty reports whether nothing is to be done.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 }

// Progress is told how far a plan has come.
type Progress interface {
	// Step is called before step i of n begins.
	Step(i, n int, s Step)
	// Moved is called while slots move: how many of total have arrived, the share of the
	// work that is done (0 to 1; copied keys count, arrived or not), and a word on the phase.
	Moved(done, total int, share float64, phase string)
	// Copied is called while data are copied: the share of the work that is done, 0 to 1,
	// and how it goes.
	Copied(share float64, text string)
	// Say tells of something out of the ordinary. Any goroutine may call it.
	Say(text string)
	// Done is called when the steps begun so far have taken effect, or one has failed.
	Done()
}

// Apply runs the steps of p in order. Moves of slots that follow one another are begun
// together: from then on the cluster finishes them whatever becomes of the tool. It
// returns ErrStalePlan before the first change if the cluster is not what the plan was
// made for.
func (p *Plan) Apply(ctx context.Context, c *Conns, pr Progress) error {
	if err := p.basis.holds(ctx, c); err != nil {
		return err
	}
	for i := 0; i < len(p.Steps); {
		n := 1
		for p.Steps[i].Action == MoveSlots && i+n < len(p.Steps) && p.Steps[i+n].Action == MoveSlots {
			n++
		}
		group := p.Steps[i : i+n]
		for k, s := range group {
			pr.Step(i+k, len(p.Steps), s)
		}
		var err error
		if group[0].Action == MoveSlots {
			err = c.moveSlots(ctx, group, pr)
		} else {
			err = group[0].apply(ctx, c)
		}
		pr.Done()
		if err != nil {
			return fmt.Errorf("step %d of %d (%s): %w", i+1, len(p.Steps), group[0].Action, err)
		}
		i += n
	}
	return nil
}
