package migration

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Tag names one attempt of a job: what is staged under one tag is never mixed with
// what is staged under another, and CommitMove names all of it. The terms are part of
// it, so a failover of either side ends an attempt even before the log counts on.
type Tag struct {
	Job        string
	Attempt    uint64
	SourceTerm uint64
	TargetTerm uint64
}

// String returns "job/attempt.sourceTerm.targetTerm", which ParseTag reads.
func (t Tag) String() string {
	return fmt.Sprintf("%s/%d.%d.%d", t.Job, t.Attempt, t.SourceTerm, t.TargetTerm)
}

// ParseTag reads what Tag.String wrote.
func ParseTag(s string) (Tag, bool) {
	i := strings.LastIndexByte(s, '/')
	if i <= 0 {
		return Tag{}, false
	}
	numbers := strings.Split(s[i+1:], ".")
	if len(numbers) != 3 {
		return Tag{}, false
	}
	t := Tag{Job: s[:i]}
	for n, to := range []*uint64{&t.Attempt, &t.SourceTerm, &t.TargetTerm} {
		v, err := strconv.ParseUint(numbers[n], 10, 64)
		if err != nil {
			return Tag{}, false
		}
		*to = v
	}
	return t, true
}

// Outcome is what the applied log says of a job.
type Outcome uint8

const (
	// JobOpen: the job's slots belong to the source; Facts.Tag is the attempt that a
	// CommitMove must name now.
	JobOpen Outcome = iota
	// JobCommitted: the slots belong to the target; Facts.Tag is the attempt that won.
	JobCommitted
	// JobAborted: the job has ended and the slots never left, or the log knows it no more.
	JobAborted
)

// Facts is what this node's applied log says of one job. Every decision that lets a
// slot be served rests on Facts alone, never on a clock or a message.
type Facts struct {
	Outcome Outcome
	Tag     Tag
	// Mine: this run is the primary of the machine's side of the job.
	Mine bool
}

// Times are the durations of the job machines, all in nanoseconds.
type Times struct {
	// Silence is how long the other side may be silent: cluster-node-timeout.
	Silence int64
	// Hold is the longest hold before Ready. After HoldTries holds that were given up
	// it doubles with each further one, to HoldMax at most: a machine so busy that no
	// answer ever comes within Hold shall see the end of a job too.
	Hold, HoldMax int64
	HoldTries     int
	// Handover is how long the source waits, after CommitMove, for the target to say
	// that it serves, before it answers MOVED.
	Handover int64
	// Propose is the pause between two proposals whose outcome is unknown.
	Propose int64
	// Retry and RetryMax bound the pause between two connections; it doubles.
	Retry, RetryMax int64
	// Pause and PauseMax bound the pause between two holds; it doubles.
	Pause, PauseMax int64
}

// DefaultTimes returns the times for a cluster-node-timeout.
func DefaultTimes(nodeTimeout time.Duration) Times {
	return Times{
		Silence:   int64(nodeTimeout),
		Hold:      int64(20 * time.Millisecond),
		HoldMax:   int64(160 * time.Millisecond),
		HoldTries: 4,
		Handover:  int64(200 * time.Millisecond),
		Propose:   int64(200 * time.Millisecond),
		Retry:     int64(100 * time.Millisecond),
		RetryMax:  int64(5 * time.Second),
		Pause:     int64(20 * time.Millisecond),
		PauseMax:  int64(500 * time.Millisecond),
	}
}

// backoff is a pause that doubles from first to last.
type backoff struct{ first, last, next int64 }

func (b *backoff) take() int64 {
	d := max(b.next, b.first)
	b.next = min(2*d, b.last)
	return d
}

func (b *backoff) reset() { b.next = b.first }
