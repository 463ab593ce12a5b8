package migration

// TargetState is where the target's side of an attempt stands.
type TargetState uint8

const (
	// TargetStage: what comes is put aside, hidden.
	TargetStage TargetState = iota
	// TargetConfirm: all is here; the shard's replicas have not all said so yet.
	TargetConfirm
	// TargetPropose: CommitMove was proposed and may have been taken.
	TargetPropose
	// TargetAttach: CommitMove is applied; the staged slots are becoming real.
	TargetAttach
	// TargetDone: nothing is staged any more.
	TargetDone
)

var targetStateNames = [...]string{"stage", "confirm", "propose", "attach", "done"}

// String returns the state's name as logs and GETSLOTMIGRATIONS show it.
func (s TargetState) String() string { return targetStateNames[s] }

// TargetEventKind is what has happened to the target's side.
type TargetEventKind uint8

const (
	// TargetTick: time has passed.
	TargetTick TargetEventKind = iota
	// TargetSaw: the log was applied.
	TargetSaw
	// TargetReady: the source holds, and all that it sent is applied here.
	TargetReady
	// TargetConfirmed: the shard's linked replicas have everything staged.
	TargetConfirmed
	// TargetUnconfirmed: a replica cannot have it (a full sync began since).
	TargetUnconfirmed
	// TargetRefused: the log has refused this attempt's CommitMove for good.
	TargetRefused
	// TargetAttached: the staged slots are attached.
	TargetAttached
	// TargetHeard: any frame of the source.
	TargetHeard
	// TargetLost: the connection has failed, or what came was not right.
	TargetLost
)

// TargetEvent is an input of TargetJob.Step.
type TargetEvent struct {
	Kind  TargetEventKind
	Facts Facts
}

// TargetAction is what the driver must do.
type TargetAction uint8

const (
	// TargetDoConfirm: have the linked replicas confirm what is staged.
	TargetDoConfirm TargetAction = iota
	// TargetDoPropose: propose CommitMove of the tag, always under the same request id.
	TargetDoPropose
	// TargetDoAttach: attach the staged slots, then let them be served.
	TargetDoAttach
	// TargetDoDrop: drop what is staged under the tag, here and at the replicas.
	TargetDoDrop
	// TargetDoServing: tell the source that the slots are served.
	TargetDoServing
	// TargetDoClose: close the connection.
	TargetDoClose
)

// TargetJob is the target's side of one attempt: a pure machine. It begins when the
// source's Begin was accepted and the tag's stage is empty.
//
//	Stage --Ready--> Confirm --confirmed--> Propose --CommitMove--> Attach --> Done
//	  |                 |                      |
//	  |                 '--cannot------.       '--refused for good, AbortMove or a new term--> (drop) Done
//	  '--lost, silent------------------'--> (drop) Done
//
// Once CommitMove was proposed, lost connections and silence mean nothing: what is
// staged stays until the log shows which entry won.
type TargetJob struct {
	times Times
	state TargetState
	tag   Tag
	heard int64
	due   int64 // Propose: when to propose again
}

// NewTargetJob returns the machine of an attempt that was accepted at now.
func NewTargetJob(t Times, tag Tag, now int64) *TargetJob {
	return &TargetJob{times: t, tag: tag, heard: now}
}

// State returns where the attempt stands.
func (j *TargetJob) State() TargetState { return j.state }

// Tag returns the attempt.
func (j *TargetJob) Tag() Tag { return j.tag }

// Deadline returns when a TargetTick is next needed, and whether one is.
func (j *TargetJob) Deadline() (at int64, ok bool) {
	switch j.state {
	case TargetStage:
		return j.heard + j.times.Silence, true
	case TargetPropose:
		return j.due, true
	}
	return 0, false
}

// Step takes one event. Invariants: a stage is attached only by CommitMove of its own
// tag in the applied log, and dropped only before CommitMove was proposed or when the
// log (or its refusal) says that it cannot win any more.
func (j *TargetJob) Step(now int64, ev TargetEvent) []TargetAction {
	switch j.state {
	case TargetDone:
		return nil
	case TargetAttach:
		if ev.Kind == TargetAttached {
			j.become(TargetDone)
			return []TargetAction{TargetDoServing, TargetDoClose}
		}
		return nil
	}
	switch ev.Kind {
	case TargetSaw:
		return j.saw(ev.Facts)
	case TargetHeard:
		j.heard = now
	case TargetReady:
		if j.state == TargetStage {
			j.become(TargetConfirm)
			return []TargetAction{TargetDoConfirm}
		}
	case TargetConfirmed:
		if j.state == TargetConfirm {
			j.become(TargetPropose)
			j.due = now + j.times.Propose
			return []TargetAction{TargetDoPropose}
		}
	case TargetUnconfirmed:
		if j.state == TargetConfirm {
			return j.drop()
		}
	case TargetRefused:
		if j.state == TargetPropose {
			return j.drop()
		}
	case TargetLost:
		if j.state == TargetStage {
			return j.drop()
		}
	case TargetTick:
		switch {
		case j.state == TargetStage && now >= j.heard+j.times.Silence:
			return j.drop()
		case j.state == TargetPropose && now >= j.due:
			j.due = now + j.times.Propose
			return []TargetAction{TargetDoPropose}
		}
	}
	return nil
}

// saw obeys the log.
func (j *TargetJob) saw(f Facts) []TargetAction {
	switch {
	case !f.Mine:
		// Another run is the primary now: it attaches or drops, and this node, as its
		// replica, does what its stream says.
		j.become(TargetDone)
		return []TargetAction{TargetDoClose}
	case f.Outcome == JobCommitted && f.Tag == j.tag:
		j.become(TargetAttach)
		return []TargetAction{TargetDoAttach}
	case f.Outcome != JobOpen || f.Tag != j.tag:
		return j.drop()
	}
	return nil
}

func (j *TargetJob) drop() []TargetAction {
	j.become(TargetDone)
	return []TargetAction{TargetDoDrop, TargetDoClose}
}

// targetMoves are the legal changes of state. CommitMove may be seen in Stage and
// Confirm as well where an earlier life of the same tag had proposed it.
var targetMoves = [...]uint8{
	TargetStage:   1<<TargetConfirm | 1<<TargetDone | 1<<TargetAttach,
	TargetConfirm: 1<<TargetPropose | 1<<TargetDone | 1<<TargetAttach,
	TargetPropose: 1<<TargetAttach | 1<<TargetDone,
	TargetAttach:  1 << TargetDone,
	TargetDone:    0,
}

// become is the one place where the state changes.
func (j *TargetJob) become(to TargetState) {
	if targetMoves[j.state]&(1<<to) == 0 {
		panic("migration: target job from " + j.state.String() + " to " + to.String())
	}
	j.state = to
}
