package migration

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// world is a model of two shards of two nodes, a log and a network in virtual time: the
// job machines are the real ones. Data are a counter: a copy that holds n has the first
// n acknowledged writes. Leases are exact: only the log's true primary may serve.
type world struct {
	rnd   *rand.Rand
	now   int64
	queue eventQueue
	seq   int
	times Times
	bug   string

	log   truth
	acked int // writes acknowledged to clients
	nodes [4]*simNode
	fail  string
	// endedAt is when the log last changed.
	endedAt int64
	trace   []string
}

// truth is the log's state: what every node sees later, in order.
type truth struct {
	index            int
	outcome          Outcome
	attempt          uint64
	sourceTerm       uint64
	targetTerm       uint64
	primary          [2]int // node of shard 0 (source) and 1 (target)
	wonTag           Tag
	proposalsApplied map[string]bool
}

func (t truth) tag() Tag {
	if t.outcome == JobCommitted {
		return t.wonTag
	}
	return Tag{"job", t.attempt, t.sourceTerm, t.targetTerm}
}

type simNode struct {
	id, shard int
	dead      bool
	pausedTo  int64
	view      truth

	// as source
	job       *SourceJob
	hold      Hold
	holdSeq   int
	data      int // writes that the node's own (served) slots hold, -1: none
	conn      *simConn
	readyFrom int64

	// as target
	target *TargetJob
	tconn  *simConn
	stage  map[Tag]int // staged writes by tag; -1 begun
}

// simConn is one connection: ordered, with delays, and cut at any time.
type simConn struct {
	from, to *simNode
	try      uint64
	tag      Tag
	cut      bool
	last     [2]int64 // when the last message of each direction arrives
	follow   bool
}

type simEvent struct {
	at  int64
	seq int
	do  func()
}

type eventQueue []simEvent

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(simEvent)) }
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

const ms = int64(time.Millisecond)

func newWorld(seed uint64, bug string) *world {
	w := &world{rnd: rand.New(rand.NewPCG(seed, 1)), times: DefaultTimes(1500 * time.Millisecond), bug: bug}
	w.log = truth{attempt: 1, sourceTerm: 1, targetTerm: 2, primary: [2]int{0, 2}, proposalsApplied: map[string]bool{}}
	for i := range w.nodes {
		w.nodes[i] = &simNode{id: i, shard: i / 2, data: -1, stage: map[Tag]int{}}
		w.nodes[i].view = truth{index: -1, outcome: JobAborted}
		if i < 2 {
			w.nodes[i].data = 0
		}
	}
	w.publish()
	w.after(0, w.client)
	w.after(0, w.ticker)
	return w
}

func (w *world) after(d int64, do func()) {
	w.seq++
	heap.Push(&w.queue, simEvent{w.now + max(0, d), w.seq, do})
}

// on runs do on a node, when it is neither dead nor paused.
func (w *world) on(n *simNode, d int64, do func()) {
	w.after(d, func() {
		switch {
		case n.dead:
		case w.now < n.pausedTo:
			w.on(n, n.pausedTo-w.now, do)
		default:
			do()
		}
	})
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%6dms ", w.now/ms)+fmt.Sprintf(format, args...))
	if len(w.trace) > 60 {
		w.trace = w.trace[1:]
	}
}

func (w *world) failf(format string, args ...any) {
	if w.fail == "" {
		w.fail = fmt.Sprintf("%6dms ", w.now/ms) + fmt.Sprintf(format, args...)
	}
}

// delay is a network or scheduling delay: mostly short, now and then long.
func (w *world) delay() int64 {
	switch w.rnd.IntN(20) {
	case 0:
		return w.rnd.Int64N(300 * ms)
	case 1, 2:
		return w.rnd.Int64N(30 * ms)
	}
	return w.rnd.Int64N(3 * ms)
}

func (w *world) run(until int64) {
	for len(w.queue) > 0 && w.queue[0].at <= until && w.fail == "" {
		e := heap.Pop(&w.queue).(simEvent)
		w.now = e.at
		e.do()
		w.check()
	}
}

// publish sends the log's state to every node.
func (w *world) publish() {
	w.log.index++
	w.endedAt = w.now
	state := w.log
	w.note("log %d: outcome %d tag %v primaries %v", state.index, state.outcome, state.tag(), state.primary)
	for _, n := range w.nodes {
		w.on(n, w.delay(), func() {
			if state.index <= n.view.index {
				return
			}
			was := n.view
			n.view = state
			if was.primary[n.shard] == n.id && state.primary[n.shard] != n.id {
				w.resync(n)
			}
			w.saw(n)
		})
	}
}

// resync makes a deposed primary a copy of the new one.
func (w *world) resync(n *simNode) {
	from := w.nodes[w.log.primary[n.shard]]
	n.data = from.data
	n.stage = map[Tag]int{}
	for tag, pos := range from.stage {
		n.stage[tag] = pos
	}
}

// follows reports whether n applies the stream of from.
func (w *world) follows(n, from *simNode) bool {
	return n == from || n.shard == from.shard && !n.dead && n.view.primary[n.shard] != n.id
}

func (w *world) facts(n *simNode) Facts {
	return Facts{Outcome: n.view.outcome, Tag: n.view.tag(), Mine: n.view.primary[n.shard] == n.id}
}

// saw is what the drivers do with a new View.
func (w *world) saw(n *simNode) {
	f := w.facts(n)
	if n.shard == 0 {
		if n.job == nil && f.Mine {
			n.job = NewSourceJob(w.times)
		}
		if n.job != nil {
			w.stepSource(n, SourceEvent{Kind: SourceSaw, Facts: f})
			if n.job.State() == SourceDone && f.Outcome == JobOpen {
				n.job = nil
			}
		}
		return
	}
	if n.target != nil {
		w.stepTarget(n, TargetEvent{Kind: TargetSaw, Facts: f})
	}
	w.sweep(n)
}

// sweep settles what came by replication, as Mover.sweep does.
func (w *world) sweep(n *simNode) {
	f := w.facts(n)
	if !f.Mine {
		return
	}
	for tag := range n.stage {
		if n.target != nil && n.target.State() != TargetDone && n.target.Tag() == tag {
			continue
		}
		if f.Outcome == JobCommitted && f.Tag == tag {
			w.attach(n, tag)
			continue
		}
		w.dropStage(n, tag)
	}
}

func (w *world) attach(n *simNode, tag Tag) {
	pos, ok := n.stage[tag]
	if !ok || pos < 0 {
		w.failf("node %d attaches %v, which it has not staged", n.id, tag)
		return
	}
	w.note("node %d attaches %v with %d", n.id, tag, pos)
	for _, o := range w.nodes[2:] { // the effect reaches the replicas that have the stage
		if p, ok := o.stage[tag]; ok && w.follows(o, n) {
			o.data = p
			delete(o.stage, tag)
		}
	}
}

func (w *world) dropStage(n *simNode, tag Tag) {
	for _, o := range w.nodes[2:] {
		if w.follows(o, n) {
			delete(o.stage, tag)
		}
	}
}

// propose brings an entry to the log after a delay; its answer may be lost.
func (w *world) propose(id string, apply func() (refused bool), answer func(refused bool)) {
	lost := w.rnd.IntN(8) == 0
	w.after(w.delay(), func() {
		refused := false
		if !w.log.proposalsApplied[id] {
			if refused = apply(); !refused {
				w.log.proposalsApplied[id] = true
				w.publish()
			}
		}
		if !lost && w.rnd.IntN(8) != 0 {
			w.after(w.delay(), func() { answer(refused) })
		}
	})
}

func (w *world) nextAttempt() {
	w.log.attempt++
}

// promote is a failover of a shard to its other node.
func (w *world) promote(shard int) {
	w.log.primary[shard] ^= 1
	if shard == 0 {
		w.log.sourceTerm = max(w.log.sourceTerm, w.log.targetTerm) + 1
	} else {
		w.log.targetTerm = max(w.log.sourceTerm, w.log.targetTerm) + 1
	}
	if w.log.outcome == JobOpen {
		w.nextAttempt()
	}
	w.publish()
}

// serves reports what a node would let clients do on the slots now.
func (w *world) serves(n *simNode) (reads, writes bool) {
	owner := 0
	if n.view.outcome == JobCommitted {
		owner = 1
	}
	lease := w.log.primary[n.shard] == n.id // exact: ends with the term
	if n.dead || w.now < n.pausedTo || n.shard != owner || n.view.primary[n.shard] != n.id || !lease {
		return false, false
	}
	if n.shard == 1 {
		// Staged slots are held until they are attached.
		return n.data >= 0, n.data >= 0
	}
	return n.hold < HoldAll, n.hold == HoldNone
}

// check holds the invariants after every event.
func (w *world) check() {
	readers := 0
	for _, n := range w.nodes {
		reads, _ := w.serves(n)
		if !reads {
			continue
		}
		readers++
		if n.data != w.acked {
			w.failf("node %d serves %d of %d acknowledged writes", n.id, n.data, w.acked)
		}
	}
	if readers > 1 {
		w.failf("%d nodes serve the slots at once", readers)
	}
}

// client writes wherever it is let.
func (w *world) client() {
	for _, n := range w.nodes {
		if _, writes := w.serves(n); writes {
			w.acked++
			for _, o := range w.nodes { // replicas have it before it is acknowledged
				if o.shard == n.shard && o.data >= 0 {
					o.data = w.acked
				}
			}
			if c := n.conn; c != nil && c.follow {
				w.on(n, w.rnd.Int64N(10*ms), func() { w.sendData(c) })
			}
			break
		}
	}
	w.after(ms+w.rnd.Int64N(5*ms), w.client)
}

// ticker gives the machines their deadlines, and the source its "close" events.
func (w *world) ticker() {
	for _, n := range w.nodes {
		if n.dead || w.now < n.pausedTo {
			continue
		}
		if n.job != nil {
			if at, ok := n.job.Deadline(); ok && at <= w.now {
				w.stepSource(n, SourceEvent{Kind: SourceTick})
			}
			if n.conn != nil && n.conn.follow {
				w.stepSource(n, SourceEvent{Kind: SourceClose, Try: n.conn.try})
			}
			if w.bug == "release after Ready on a timer" && n.job.State() == SourceReady && w.now > n.readyFrom+40*ms {
				n.hold = HoldNone
			}
		}
		if n.target != nil {
			if at, ok := n.target.Deadline(); ok && at <= w.now {
				w.stepTarget(n, TargetEvent{Kind: TargetTick})
			}
		}
	}
	w.after(5*ms, w.ticker)
}
