package migration

import "fmt"

// The drivers of the model: what source.go and target.go do, in virtual time.

func (w *world) stepSource(n *simNode, ev SourceEvent) {
	was := n.job.State()
	acts := n.job.Step(w.now, ev)
	if n.job.State() != was {
		w.note("node %d source %v -> %v", n.id, was, n.job.State())
	}
	for _, a := range acts {
		w.actSource(n, a)
	}
}

func (w *world) actSource(n *simNode, a SourceAction) {
	switch a.Kind {
	case SourceDoDial:
		w.dial(n, a)
	case SourceDoCopy:
		c := n.conn
		w.on(n, w.rnd.Int64N(200*ms), func() {
			if c.cut {
				return
			}
			c.follow = true
			w.sendData(c)
			w.stepSource(n, SourceEvent{Kind: SourceCopied, Try: c.try})
		})
	case SourceDoHold:
		n.holdSeq++
		n.hold = HoldWrites
		w.drain(n, n.conn, n.holdSeq)
	case SourceDoSeal:
		if w.bug != "readers are not held" {
			n.hold = HoldAll
		}
		c, seq := n.conn, n.holdSeq
		w.on(n, w.rnd.Int64N(4*ms), func() {
			if seq == n.holdSeq {
				w.stepSource(n, SourceEvent{Kind: SourceSealed, Try: c.try})
			}
		})
	case SourceDoReady:
		n.readyFrom = w.now
		c := n.conn
		w.send(c, 0, func() { w.targetGot(c, TargetReady) })
	case SourceDoRelease:
		n.holdSeq++
		n.hold = HoldNone
	case SourceDoAbort:
		w.proposeAbort(n, a.Tag)
	case SourceDoClose:
		w.cut(n.conn)
		n.conn = nil
	case SourceDoLeave:
		w.note("node %d leaves", n.id)
		for _, o := range w.nodes[:2] {
			o.data = -1
		}
	}
}

func (w *world) proposeAbort(n *simNode, tag Tag) {
	w.propose(fmt.Sprint("abort", tag), func() bool {
		if w.log.outcome != JobOpen || w.log.attempt != tag.Attempt {
			return true
		}
		w.nextAttempt()
		return false
	}, func(bool) {})
}

// drain sends the last effects and the fence once writers are off the shards.
func (w *world) drain(n *simNode, c *simConn, seq int) {
	w.on(n, w.rnd.Int64N(5*ms), func() {
		if seq != n.holdSeq || c.cut {
			return
		}
		if w.bug != "the fence overtakes the last effects" {
			w.sendData(c)
		}
		w.send(c, 0, func() {
			w.targetGot(c, TargetHeard)
			w.send(c, 1, func() {
				if n.conn == c && seq == n.holdSeq {
					w.stepSource(n, SourceEvent{Kind: SourceFenced, Try: c.try})
				}
			})
		})
	})
}

// dial opens a connection and brings Begin to the target's primary, as the source's
// View names it.
func (w *world) dial(n *simNode, a SourceAction) {
	w.cut(n.conn)
	c := &simConn{from: n, to: w.nodes[n.view.primary[1]], try: a.Try, tag: a.Tag}
	n.conn = c
	if w.rnd.IntN(6) == 0 { // this connection will not live long
		w.after(w.rnd.Int64N(600*ms), func() { w.cut(c) })
	}
	w.send(c, 0, func() { w.admit(c) })
}

func (w *world) admit(c *simConn) {
	n := c.to
	f := w.facts(n)
	if f.Outcome != JobOpen || f.Tag != c.tag || !f.Mine {
		w.cut(c)
		return
	}
	if n.target != nil && n.target.State() != TargetDone {
		if n.target.State() == TargetStage {
			w.stepTarget(n, TargetEvent{Kind: TargetLost})
		} else {
			w.cut(c)
			return
		}
	}
	n.target = NewTargetJob(w.times, c.tag, w.now)
	n.tconn = c
	for _, o := range w.nodes[2:] {
		if w.follows(o, n) {
			o.stage = map[Tag]int{}
		}
	}
	n.stage[c.tag] = -1
	w.send(c, 1, func() { w.sourceGot(c, SourceAccepted) })
	w.keepAlive(c)
}

func (w *world) keepAlive(c *simConn) {
	if c.cut {
		return
	}
	w.send(c, 0, func() { w.targetGot(c, TargetHeard) })
	w.send(c, 1, func() { w.sourceGot(c, SourceHeard) })
	w.after(250*ms, func() { w.keepAlive(c) })
}

// send delivers a message in order; dir 0 is to the target.
func (w *world) send(c *simConn, dir int, do func()) {
	if c == nil || c.cut {
		return
	}
	from, to := c.from, c.to
	if dir == 1 {
		from, to = to, from
	}
	if from.dead {
		return
	}
	at := max(w.now+w.delay(), c.last[dir]+1)
	c.last[dir] = at
	w.on(to, at-w.now, func() {
		if !c.cut {
			do()
		}
	})
}

// cut ends a connection; each side hears of it in its time.
func (w *world) cut(c *simConn) {
	if c == nil || c.cut {
		return
	}
	c.cut, c.follow = true, false
	w.on(c.from, w.delay(), func() {
		if n := c.from; n.job != nil && n.conn == c {
			w.stepSource(n, SourceEvent{Kind: SourceLost, Try: c.try})
		}
	})
	w.on(c.to, w.delay(), func() {
		if n := c.to; n.target != nil && n.tconn == c {
			if w.bug == "the stage goes with the connection" && n.target.State() != TargetDone {
				w.dropStage(n, c.tag)
			}
			w.stepTarget(n, TargetEvent{Kind: TargetLost})
		}
	})
}

// sourceGot delivers an answer of the target, now and then a second time and late.
func (w *world) sourceGot(c *simConn, kind SourceEventKind) {
	n := c.from
	if n.job == nil {
		return
	}
	w.stepSource(n, SourceEvent{Kind: kind, Try: c.try})
	if w.rnd.IntN(10) == 0 {
		w.on(n, w.rnd.Int64N(500*ms), func() {
			if n.job != nil {
				w.stepSource(n, SourceEvent{Kind: kind, Try: c.try})
			}
		})
	}
}

func (w *world) targetGot(c *simConn, kind TargetEventKind) {
	if n := c.to; n.target != nil && n.tconn == c {
		w.stepTarget(n, TargetEvent{Kind: kind})
	}
}

// sendData brings the target up to what the source holds now.
func (w *world) sendData(c *simConn) {
	pos := c.from.data
	w.send(c, 0, func() {
		n := c.to
		if n.tconn != c || n.target == nil || n.target.State() != TargetStage {
			return
		}
		if _, ok := n.stage[c.tag]; ok {
			n.stage[c.tag] = pos
		}
	})
}

func (w *world) stepTarget(n *simNode, ev TargetEvent) {
	was := n.target.State()
	acts := n.target.Step(w.now, ev)
	if n.target.State() != was {
		w.note("node %d target %v -> %v", n.id, was, n.target.State())
	}
	for _, a := range acts {
		w.actTarget(n, a)
	}
}

func (w *world) actTarget(n *simNode, a TargetAction) {
	job, tag := n.target, n.target.Tag()
	tell := func(kind TargetEventKind) {
		if n.target == job {
			w.stepTarget(n, TargetEvent{Kind: kind})
		}
	}
	switch a {
	case TargetDoConfirm:
		w.on(n, w.delay(), func() {
			other := w.nodes[n.id^1]
			if w.rnd.IntN(8) == 0 || !other.dead && !w.follows(other, n) {
				tell(TargetUnconfirmed)
				return
			}
			if w.bug != "replicas do not confirm" {
				if pos, ok := n.stage[tag]; ok && w.follows(other, n) {
					other.stage[tag] = pos
				}
			}
			tell(TargetConfirmed)
		})
	case TargetDoPropose:
		w.propose(fmt.Sprint("commit", tag), func() bool {
			t := &w.log
			stale := t.attempt != tag.Attempt || t.sourceTerm != tag.SourceTerm || t.targetTerm != tag.TargetTerm
			if t.outcome != JobOpen || stale && w.bug != "the log takes stale attempts" {
				return true
			}
			t.outcome, t.wonTag = JobCommitted, tag
			return false
		}, func(refused bool) {
			// As target.propose: a refusal counts only beside a View as new as it.
			if refused && !n.dead && w.now >= n.pausedTo && n.view.index == w.log.index && n.view.outcome == JobOpen && n.view.tag() == tag {
				tell(TargetRefused)
			}
		})
	case TargetDoAttach:
		w.attach(n, tag)
		w.on(n, w.delay(), func() { tell(TargetAttached) })
	case TargetDoDrop:
		w.dropStage(n, tag)
	case TargetDoServing:
		c := n.tconn
		w.send(c, 1, func() { w.sourceGot(c, SourceServing) })
	case TargetDoClose:
		c := n.tconn
		w.after(20*ms, func() { w.cut(c) })
	}
}
