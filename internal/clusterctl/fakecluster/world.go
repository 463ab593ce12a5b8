package fakecluster

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redwingdb/redwing/internal/slots"
)

// World holds nodes, some of which form clusters.
type World struct {
	t  testing.TB
	mu struct {
		sync.Mutex
		nodes   []*Node
		jobs    []*job // oldest first
		changes []string
		polls   int  // listings of jobs until one is done
		held    bool // no job is ever done
		fail    map[string]string
		onJob   func() // called once when a job is begun
	}
}

// job is a slot move.
type job struct {
	name           string
	source, target *Node
	slots          slots.Set
	state, message string // state "" while it runs
	left           int    // listings until it is done
}

// New starts n fresh nodes that end with the test.
func New(t testing.TB, n int) *World {
	t.Helper()
	w := &World{t: t}
	w.mu.fail = map[string]string{}
	for range n {
		w.Add()
	}
	return w
}

// Formed starts a cluster of primaries with replicas each, the primaries first, the
// slots in equal parts.
func Formed(t testing.TB, primaries, replicas int) *World {
	t.Helper()
	w := New(t, primaries*(1+replicas))
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, n := range w.mu.nodes {
		n.cluster = 1
		if i < primaries {
			n.slots.AddRange(slots.Range{From: slots.Slot(i * slots.Count / primaries), To: slots.Slot((i+1)*slots.Count/primaries - 1)})
			continue
		}
		n.primary = w.mu.nodes[(i-primaries)%primaries]
	}
	return w
}

// Add starts one more fresh node.
func (w *World) Add() *Node {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	k := len(w.mu.nodes)
	n := &Node{w: w, cluster: -1 - k}
	n.listen(w.t)
	w.mu.nodes = append(w.mu.nodes, n)
	// Ids grow with the number of the node and differ between worlds.
	_, port, _ := strings.Cut(w.mu.nodes[0].Addr, ":")
	n.ID = fmt.Sprintf("%02x%038s", k+1, port)
	return n
}

// Node returns the i-th node that was started.
func (w *World) Node(i int) *Node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.nodes[i]
}

// Addrs returns the addresses of all nodes.
func (w *World) Addrs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, n := range w.mu.nodes {
		out = append(out, n.Addr)
	}
	return out
}

// Changes returns the commands received so far that change something, each with the
// number of its node: "0 CLUSTER MEET".
func (w *World) Changes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.mu.changes)
}

// SlowMoves lets every job, also one that runs, be listed so many times before it is done; below 0 no job is
// ever done.
func (w *World) SlowMoves(polls int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.polls, w.mu.held = polls, polls < 0
	for _, j := range w.mu.jobs {
		j.left = polls
	}
}

// EndMoves ends every running job: "" moves its slots, anything else is the message of
// its failure.
func (w *World) EndMoves(message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range w.mu.jobs {
		if j.state != "" {
			continue
		}
		if message == "" {
			w.commitLocked(j)
			continue
		}
		j.state, j.message = "failed", message
	}
}

// OnMove calls f, without locks, when the next job is begun.
func (w *World) OnMove(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.onJob = f
}

// Fail lets every node answer a command ("CLUSTER MEET") with an error; "" ends that.
func (w *World) Fail(command, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.fail[command] = text
}

// FailOver exchanges the roles of a primary and one of its replicas.
func (w *World) FailOver(primary, replica *Node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	replica.slots, primary.slots = primary.slots, slots.Set{}
	for _, n := range w.mu.nodes {
		if n.primary == primary {
			n.primary = replica
		}
	}
	replica.primary, primary.primary = nil, replica
	for _, j := range w.mu.jobs { // jobs belong to shards
		if j.source == primary {
			j.source = replica
		}
		if j.target == primary {
			j.target = replica
		}
	}
}

// Slots returns what a node owns, as ranges.
func (w *World) Slots(n *Node) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return n.slots.String()
}

// commitLocked makes the target the owner. REQUIRES: w.mu held.
func (w *World) commitLocked(j *job) {
	j.state = "success"
	j.source.slots.Subtract(&j.slots)
	j.target.slots.Union(&j.slots)
}

// membersLocked returns the nodes of n's cluster. REQUIRES: w.mu held.
func (w *World) membersLocked(n *Node) []*Node {
	var out []*Node
	for _, o := range w.mu.nodes {
		if o.cluster == n.cluster {
			out = append(out, o)
		}
	}
	return out
}
