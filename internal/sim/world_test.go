package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"

	"github.com/redwingdb/redwing/internal/failover"
	"github.com/redwingdb/redwing/internal/topology"
)

const (
	ms     = int64(1e6)
	second = 1000 * ms
)

// happening is an event of the world; seq keeps those of one instant in order.
type happening struct {
	at  int64
	seq uint64
	do  func()
}

type queue []happening

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(happening)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

// bugs are planted errors, one at a time; the invariants must catch each.
type bugs struct {
	noWait        bool // the leader deposes without the 1.05 L wait
	noElection    bool // a new leader does not wait after its election
	noEcho        bool // leases are given without asking the voters
	longLease     bool // the primary counts a longer lease than the leader
	noFence       bool // decisions of an old leader are not fenced by Lead
	ignoreRelease bool // the primary goes on serving after its Release

	majority   bool // sync replies wait for most of the in-sync set
	viewOnly   bool // they do not wait for a copy whose Grow is under way
	leavingOut bool // nor for one whose Shrink is
	dropInSet  bool // a copy of the set is sent another data set
	lateReply  bool // replies are sent without a lease
	falseHeir  bool // a new run without data says that it continues the old one
}

// network is how bad the wires are.
type network struct {
	lossPercent, slowPercent, dupPercent int
	slowMax                              int64
}

// world is the whole of a simulation.
type world struct {
	rng    *rand.Rand
	now    int64 // true time
	seq    uint64
	queue  queue
	nodes  []*node
	voters []topology.NodeID
	net    network
	cut    map[[2]int]bool // [from][to]: nothing gets through
	bugs   bugs
	timing failover.Timing

	committed []topology.Entry
	strays    []topology.Entry // of leaders that fell; the next one may have them
	broken    error            // the first violated invariant
	trace     []string
	calm      bool // no traps
	onPropose func(*proc, topology.Promote)
	failovers []failover.Event
	emptied   int // promotions of a copy that came back empty

	mode
	truth    *topology.View // of all that is committed
	writes   uint64         // ids given out
	answered map[topology.ShardID]*answered
	forgiven int
	laggard  *node // applies nothing new
}

func (w *world) at(t int64, do func()) {
	w.seq++
	heap.Push(&w.queue, happening{max(t, w.now), w.seq, do})
}

func (w *world) after(d int64, do func()) { w.at(w.now+d, do) }

// run lets the world go on until true time end, or until an invariant breaks.
func (w *world) run(end int64) {
	for len(w.queue) > 0 && w.queue[0].at <= end && w.broken == nil {
		h := heap.Pop(&w.queue).(happening)
		w.now = h.at
		h.do()
		w.checkLeases()
	}
	w.now = max(w.now, end)
}

// until runs until cond holds, looking every millisecond, and returns when it did;
// -1 if not before end.
func (w *world) until(end int64, cond func() bool) int64 {
	for w.now < end && w.broken == nil {
		if cond() {
			return w.now
		}
		w.run(w.now + ms)
	}
	return -1
}

const maxTrace = 400

func (w *world) tell(format string, args ...any) {
	if len(w.trace) >= maxTrace {
		w.trace = w.trace[1:]
	}
	w.trace = append(w.trace, fmt.Sprintf("%9.3f ", float64(w.now)/1e6)+fmt.Sprintf(format, args...))
}

func (w *world) between(lo, hi int64) int64 { return lo + w.rng.Int64N(hi-lo+1) }
func (w *world) chance(percent int) bool    { return w.rng.IntN(100) < percent }

// delay is the time of a message on its way.
func (w *world) delay() int64 {
	if w.chance(w.net.slowPercent) {
		return w.between(ms, w.net.slowMax)
	}
	return w.between(100_000, 2*ms)
}

// send carries a message from one process to another. It may be lost, late or
// doubled; a paused process gets it when it goes on, a dead one never.
func (w *world) send(from, to *proc, do func()) {
	if w.cut[[2]int{from.n.i, to.n.i}] || w.chance(w.net.lossPercent) {
		return
	}
	deliver := func() {
		if w.cut[[2]int{from.n.i, to.n.i}] {
			return
		}
		to.enter(func() {
			to.hear(from)
			do()
		})
	}
	w.after(w.delay(), deliver)
	if w.chance(w.net.dupPercent) {
		w.after(w.delay(), deliver)
	}
}

// checkLeases is the invariant of the whole design: at no true instant do two
// processes hold an unexpired lease for one slot.
func (w *world) checkLeases() {
	for i, a := range w.nodes {
		sa := a.p.serving()
		if sa == nil || sa.Slots.Empty() {
			continue
		}
		for _, b := range w.nodes[:i] {
			sb := b.p.serving()
			if sb == nil || w.broken != nil {
				continue
			}
			if sa.Slots.Intersects(&sb.Slots) {
				w.broken = fmt.Errorf("at %.3f ms node %d (term %d) and node %d (term %d) both hold a lease for a slot",
					float64(w.now)/1e6, a.i, sa.Term, b.i, sb.Term)
				w.tell("BROKEN: %v", w.broken)
			}
		}
	}
}
