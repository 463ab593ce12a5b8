package migration

// SourceState is where the source's side of a job stands.
type SourceState uint8

const (
	// SourceWait: between two connections, nothing is held.
	SourceWait SourceState = iota
	// SourceDial: connecting to the target.
	SourceDial
	// SourceCopy: the snapshot is on its way.
	SourceCopy
	// SourceFollow: effects are on their way.
	SourceFollow
	// SourceHold: writers are held while the last effects and the fence go out.
	SourceHold
	// SourceReady: Ready may have been seen by the target: everything is held until the
	// log says how it ended.
	SourceReady
	// SourceLeave: CommitMove is applied; waiting for the target to serve.
	SourceLeave
	// SourceDone: the job needs this node no more.
	SourceDone
)

var sourceStateNames = [...]string{"wait", "dial", "copy", "follow", "hold", "ready", "leave", "done"}

// String returns the state's name as logs and GETSLOTMIGRATIONS show it.
func (s SourceState) String() string { return sourceStateNames[s] }

// SourceEventKind is what has happened to the source's side.
type SourceEventKind uint8

const (
	// SourceTick: time has passed.
	SourceTick SourceEventKind = iota
	// SourceSaw: the log was applied; Facts is what it says now.
	SourceSaw
	// SourceAccepted: the target has taken the attempt.
	SourceAccepted
	// SourceCopied: the last frame of the snapshot was sent.
	SourceCopied
	// SourceClose: the effects not yet applied by the target are few enough for a hold.
	SourceClose
	// SourceFenced: writers were held and off the shards, every effect was sent, and the
	// target has applied it all.
	SourceFenced
	// SourceSealed: every command is off the shards, so nothing can read these slots.
	SourceSealed
	// SourceServing: the target says it serves the slots.
	SourceServing
	// SourceHeard: any frame of the target.
	SourceHeard
	// SourceLost: the connection, or the work on this side, has failed; or the target refused.
	SourceLost
	// SourceCancel: the attempt shall be given up (shutdown, too slow, by hand).
	SourceCancel
)

// SourceEvent is an input of SourceJob.Step. Try names the connection it belongs to;
// what belongs to an older one is ignored. SourceTick, SourceSaw and SourceCancel
// belong to none.
type SourceEvent struct {
	Kind  SourceEventKind
	Try   uint64
	Facts Facts
}

// SourceActionKind is what the driver must do.
type SourceActionKind uint8

const (
	// SourceDoDial: connect to the target's primary and send Begin with Tag.
	SourceDoDial SourceActionKind = iota
	// SourceDoCopy: cut a snapshot and send it, then effects.
	SourceDoCopy
	// SourceDoHold: hold writers, wait them off the shards, send what is left and a
	// fence; the answer is SourceFenced.
	SourceDoHold
	// SourceDoSeal: hold everything and wait every command off the shards; the answer
	// is SourceSealed.
	SourceDoSeal
	// SourceDoReady: send Ready.
	SourceDoReady
	// SourceDoRelease: let everything run again.
	SourceDoRelease
	// SourceDoAbort: propose AbortMove of Tag.
	SourceDoAbort
	// SourceDoClose: close the connection and end its work.
	SourceDoClose
	// SourceDoLeave: drop the slots, dirty their watches; then release.
	SourceDoLeave
)

// SourceAction is an output of SourceJob.Step.
type SourceAction struct {
	Kind SourceActionKind
	Try  uint64
	Tag  Tag
}

// SourceJob is the source's side of one job: a pure machine. Times are monotonic
// nanoseconds of one clock.
//
//	Wait --due--> Dial --accepted--> Copy --copied--> Follow --close--> Hold --fenced, sealed--> Ready --CommitMove--> Leave --> Done
//	 ^             |                  |                |  ^              | |                       |
//	 |             '------lost, silent, refused--------'  '--over 20 ms--' |                       |
//	 '---------------------------------------------------------------------'                       |
//	 '----------------------- AbortMove of the attempt, or a new term, applied --------------------'
//
// From Hold on writers are held, from the seal on readers too. In Ready nothing but
// the applied log leads on: lost, silent and cancel only make it ask for AbortMove.
// From every state: CommitMove applied leads to Leave, the end of the job (or of this
// run's primacy) to Done.
type SourceJob struct {
	times Times
	state SourceState
	facts Facts
	tag   Tag // the attempt that the present connection serves
	try   uint64

	due       int64 // Wait: when to dial; Leave: when to stop waiting; Ready: when to ask again
	heard     int64 // when the target was last heard
	holdUntil int64 // Hold: when it must be given up
	holdNext  int64 // Follow: no hold before
	sealing   bool  // Hold: fenced, being sealed
	aborting  bool  // Ready: this side gives up
	retry     backoff
	pause     backoff
	// Holds counts the holds of the present connection that were given up.
	Holds int
}

// NewSourceJob returns a machine that knows nothing yet: it waits for SourceSaw.
func NewSourceJob(t Times) *SourceJob {
	return &SourceJob{
		times: t,
		facts: Facts{Outcome: JobAborted},
		retry: backoff{first: t.Retry, last: t.RetryMax},
		pause: backoff{first: t.Pause, last: t.PauseMax},
	}
}

// State returns where the job stands.
func (j *SourceJob) State() SourceState { return j.state }

// Try returns the number of the present connection.
func (j *SourceJob) Try() uint64 { return j.try }

// Tag returns the attempt of the present connection.
func (j *SourceJob) Tag() Tag { return j.tag }

// Deadline returns when a SourceTick is next needed, and whether one is.
func (j *SourceJob) Deadline() (at int64, ok bool) {
	switch j.state {
	case SourceWait, SourceLeave:
		return j.due, true
	case SourceDial, SourceCopy, SourceFollow:
		return j.heard + j.times.Silence, true
	case SourceHold:
		return min(j.holdUntil, j.heard+j.times.Silence), true
	case SourceReady:
		if j.aborting {
			return j.due, true
		}
		return j.heard + j.times.Silence, true
	}
	return 0, false
}

// Step takes one event. Invariants: no release in Ready or Leave but by the log; at
// most one connection; every action of a connection bears its Try.
func (j *SourceJob) Step(now int64, ev SourceEvent) []SourceAction {
	if j.state == SourceDone {
		return nil
	}
	switch ev.Kind {
	case SourceSaw:
		return j.saw(now, ev.Facts)
	case SourceTick:
		return j.tick(now)
	case SourceCancel:
		return j.lost(now, true)
	}
	if ev.Try != j.try || j.state == SourceWait {
		return nil // of a connection that is no more
	}
	j.heard = now
	switch ev.Kind {
	case SourceAccepted:
		if j.state == SourceDial {
			j.become(SourceCopy)
			return j.act(SourceDoCopy)
		}
	case SourceCopied:
		if j.state == SourceCopy {
			j.become(SourceFollow)
			j.retry.reset()
		}
	case SourceClose:
		if j.state == SourceFollow && now >= j.holdNext {
			j.become(SourceHold)
			j.holdUntil = now + j.holdLimit()
			j.sealing = false
			return j.act(SourceDoHold)
		}
	case SourceFenced:
		if j.state == SourceHold && !j.sealing {
			j.sealing = true
			return j.act(SourceDoSeal)
		}
	case SourceSealed:
		if j.state == SourceHold && j.sealing {
			j.become(SourceReady)
			return j.act(SourceDoReady)
		}
	case SourceServing:
		if j.state == SourceLeave {
			return j.leave()
		}
	case SourceLost:
		return j.lost(now, false)
	}
	return nil
}

// saw obeys the log.
func (j *SourceJob) saw(now int64, f Facts) []SourceAction {
	j.facts = f
	switch {
	case j.state == SourceLeave:
		return nil // committed: nothing takes that back
	case f.Outcome == JobCommitted && f.Mine:
		if j.state == SourceReady && f.Tag == j.tag && !j.aborting {
			j.become(SourceLeave)
			j.due = now + j.times.Handover
			return nil
		}
		return j.leave() // committed under a former primary, or the target is not there to ask
	case f.Outcome != JobOpen || !f.Mine:
		return j.end(SourceDone)
	case j.state == SourceWait:
		if j.tag != f.Tag {
			j.tag = f.Tag
			j.due = now
			return j.tick(now)
		}
		return nil
	case f.Tag != j.tag:
		acts := j.end(SourceWait)
		j.tag = f.Tag
		j.due = now
		return append(acts, j.tick(now)...)
	}
	return nil
}

func (j *SourceJob) tick(now int64) []SourceAction {
	switch j.state {
	case SourceWait:
		if j.facts.Outcome == JobOpen && j.facts.Mine && now >= j.due {
			j.become(SourceDial)
			j.try++
			j.tag = j.facts.Tag
			j.heard = now
			j.aborting = false
			j.Holds = 0
			j.holdNext = now
			j.pause.reset()
			return j.act(SourceDoDial)
		}
	case SourceDial, SourceCopy, SourceFollow:
		if now >= j.heard+j.times.Silence {
			return j.lost(now, false)
		}
	case SourceHold:
		if now >= j.heard+j.times.Silence {
			return j.lost(now, false)
		}
		if now >= j.holdUntil {
			j.become(SourceFollow)
			j.holdNext = now + j.pause.take()
			j.Holds++
			return j.act(SourceDoRelease)
		}
	case SourceReady:
		if !j.aborting && now >= j.heard+j.times.Silence {
			return j.lost(now, true)
		}
		if j.aborting && now >= j.due {
			j.due = now + j.times.Propose
			return j.act(SourceDoAbort)
		}
	case SourceLeave:
		if now >= j.due {
			return j.leave()
		}
	}
	return nil
}

// holdLimit returns how long the next hold before Ready may be.
func (j *SourceJob) holdLimit() int64 {
	limit := j.times.Hold
	for i := j.times.HoldTries; i <= j.Holds && limit < j.times.HoldMax; i++ {
		limit *= 2
	}
	return min(limit, max(j.times.Hold, j.times.HoldMax))
}

// HoldUntil returns when the present hold will be given up if Ready was not sent.
func (j *SourceJob) HoldUntil() int64 { return j.holdUntil }

// lost gives the connection up. Before Ready that is this node's own affair; after it
// only the log can say how the attempt ended.
func (j *SourceJob) lost(now int64, cancel bool) []SourceAction {
	switch j.state {
	case SourceWait:
		return nil
	case SourceReady:
		if j.aborting {
			return nil
		}
		j.aborting = true
		j.due = now + j.times.Propose
		return j.act(SourceDoAbort)
	case SourceLeave:
		if cancel {
			return nil
		}
		return j.leave()
	}
	acts := j.end(SourceWait)
	j.due = now + j.retry.take()
	return acts
}

// leave ends a committed job.
func (j *SourceJob) leave() []SourceAction {
	j.become(SourceDone)
	return []SourceAction{
		{Kind: SourceDoLeave, Try: j.try, Tag: j.tag},
		{Kind: SourceDoRelease, Try: j.try, Tag: j.tag},
		{Kind: SourceDoClose, Try: j.try, Tag: j.tag},
	}
}

// end closes what is open and goes to Wait or Done.
func (j *SourceJob) end(to SourceState) []SourceAction {
	was := j.state
	j.become(to)
	if was == SourceWait {
		return nil
	}
	return []SourceAction{
		{Kind: SourceDoRelease, Try: j.try, Tag: j.tag},
		{Kind: SourceDoClose, Try: j.try, Tag: j.tag},
	}
}

func (j *SourceJob) act(k SourceActionKind) []SourceAction {
	return []SourceAction{{Kind: k, Try: j.try, Tag: j.tag}}
}

// sourceMoves are the legal changes of state.
var sourceMoves = [...]uint16{
	SourceWait:   1<<SourceDial | 1<<SourceWait | 1<<SourceDone,
	SourceDial:   1<<SourceCopy | 1<<SourceWait | 1<<SourceDone,
	SourceCopy:   1<<SourceFollow | 1<<SourceWait | 1<<SourceDone,
	SourceFollow: 1<<SourceHold | 1<<SourceWait | 1<<SourceDone,
	SourceHold:   1<<SourceReady | 1<<SourceFollow | 1<<SourceWait | 1<<SourceDone,
	SourceReady:  1<<SourceLeave | 1<<SourceWait | 1<<SourceDone,
	SourceLeave:  1 << SourceDone,
	SourceDone:   0,
}

// become is the one place where the state changes.
func (j *SourceJob) become(to SourceState) {
	if sourceMoves[j.state]&(1<<to) == 0 {
		panic("migration: source job from " + j.state.String() + " to " + to.String())
	}
	j.state = to
}
