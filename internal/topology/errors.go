package topology

import "errors"

// An entry is refused whole with one of these. They travel between nodes by their
// ErrorCode, so that errors.Is works on both sides.
var (
	// ErrBadEntry is returned when an entry is malformed or passes a bound.
	ErrBadEntry = errors.New("topology: malformed entry")
	// ErrNotFormed is returned when an entry needs a cluster and there is none.
	ErrNotFormed = errors.New("topology: no cluster formed")
	// ErrFormed is returned when a cluster is formed where there is one.
	ErrFormed = errors.New("topology: cluster already formed")
	// ErrUnknownNode is returned when an entry names a node that is no member.
	ErrUnknownNode = errors.New("topology: unknown node")
	// ErrUnknownShard is returned when an entry names a shard that does not exist.
	ErrUnknownShard = errors.New("topology: unknown shard")
	// ErrShardExists is returned when a new shard's id is taken.
	ErrShardExists = errors.New("topology: shard exists")
	// ErrMember is returned when a node joins that is a member already.
	ErrMember = errors.New("topology: already a member")
	// ErrRemoved is returned when a node comes back with an incarnation that left.
	ErrRemoved = errors.New("topology: node was removed")
	// ErrStaleTerm is returned when an entry names another term than the shard's.
	ErrStaleTerm = errors.New("topology: stale term")
	// ErrStaleRun is returned when an entry names a run that is not the newest.
	ErrStaleRun = errors.New("topology: stale run")
	// ErrStaleIncarnation is returned when an entry names another incarnation
	// than the member's.
	ErrStaleIncarnation = errors.New("topology: stale incarnation")
	// ErrStaleSet is returned when an entry names another in-sync set version.
	ErrStaleSet = errors.New("topology: stale in-sync set")
	// ErrSlotOwned is returned when a slot has an owner that did not release it.
	ErrSlotOwned = errors.New("topology: slot is owned")
	// ErrNotOwner is returned when a shard does not own a slot that the entry
	// says it owns.
	ErrNotOwner = errors.New("topology: shard does not own the slot")
	// ErrNotReleased is returned when slots are taken from a shard without its
	// release of them at its term.
	ErrNotReleased = errors.New("topology: slots not released by their owner")
	// ErrOwnsSlots is returned when a node cannot leave its place because its
	// shard owns slots.
	ErrOwnsSlots = errors.New("topology: node is the primary of slots")
	// ErrNotMember is returned when a node is no copy of the shard.
	ErrNotMember = errors.New("topology: node is not in the shard")
	// ErrNotInSync is returned when a copy outside the in-sync set is promoted.
	ErrNotInSync = errors.New("topology: copy is not in sync")
	// ErrInMove is returned when a slot or shard takes part in an open move.
	ErrInMove = errors.New("topology: slot move in progress")
	// ErrSlotOpen is returned when a slot is open by SETSLOT.
	ErrSlotOpen = errors.New("topology: slot is open")
	// ErrUnknownMove is returned when no such job is open.
	ErrUnknownMove = errors.New("topology: no such open move")
	// ErrStaleAttempt is returned when a job is at another attempt.
	ErrStaleAttempt = errors.New("topology: stale attempt of the move")
	// ErrJobExists is returned when a job id is taken.
	ErrJobExists = errors.New("topology: move exists")
	// ErrForeign is returned for another cluster or an older generation.
	ErrForeign = errors.New("topology: other cluster or generation")
	// ErrRefused stands for a refusal whose code this version does not know.
	ErrRefused = errors.New("topology: refused")
)

var codes = []struct {
	code string
	err  error
}{
	{"BADENTRY", ErrBadEntry},
	{"NOTFORMED", ErrNotFormed},
	{"FORMED", ErrFormed},
	{"UNKNOWNNODE", ErrUnknownNode},
	{"UNKNOWNSHARD", ErrUnknownShard},
	{"SHARDEXISTS", ErrShardExists},
	{"MEMBER", ErrMember},
	{"REMOVED", ErrRemoved},
	{"STALETERM", ErrStaleTerm},
	{"STALERUN", ErrStaleRun},
	{"STALEINCARNATION", ErrStaleIncarnation},
	{"STALESET", ErrStaleSet},
	{"SLOTOWNED", ErrSlotOwned},
	{"NOTOWNER", ErrNotOwner},
	{"NOTRELEASED", ErrNotReleased},
	{"OWNSSLOTS", ErrOwnsSlots},
	{"NOTMEMBER", ErrNotMember},
	{"NOTINSYNC", ErrNotInSync},
	{"INMOVE", ErrInMove},
	{"SLOTOPEN", ErrSlotOpen},
	{"UNKNOWNMOVE", ErrUnknownMove},
	{"STALEATTEMPT", ErrStaleAttempt},
	{"JOBEXISTS", ErrJobExists},
	{"FOREIGN", ErrForeign},
	{"REFUSED", ErrRefused},
}

// ErrorCode returns the stable code of a refusal, "" for nil and for errors that
// are none of this package's.
func ErrorCode(err error) string {
	for i := range codes {
		if errors.Is(err, codes[i].err) {
			return codes[i].code
		}
	}
	return ""
}

// ErrorFromCode returns the error of a code: nil for "", ErrRefused for a code that
// a newer version may have sent.
func ErrorFromCode(code string) error {
	if code == "" {
		return nil
	}
	for i := range codes {
		if codes[i].code == code {
			return codes[i].err
		}
	}
	return ErrRefused
}

// IsRefusal reports whether err is a final answer of the log, not a failure to
// reach it.
func IsRefusal(err error) bool { return ErrorCode(err) != "" }
