package node

import (
	"time"

	"github.com/redwingdb/redwing/internal/commands/admin"
)

// endState is how far the end of a node has come.
type endState uint8

const (
	endServing endState = iota // no end is wished
	endWaiting                 // writes are held: the replicas are to have all of them
	endLeaving                 // the shard is given up and the data are saved
	endOver                    // nothing is left to be done
)

// ending decides how a node ends. Times are arguments, monotonic nanoseconds.
//
//	serving --SHUTDOWN, a signal--> waiting --replicas have all, timeout, NOW--> leaving --> over
//	   ^                               |                                            |
//	   |<------------ABORT-------------'                                            |
//	   '<----------------- the data cannot be saved, and no FORCE ------------------'
//	any --SIGINT behind another signal--> over
//
// Who asks for an end that has begun joins it, with whatever words. Source of the rules:
// Redis 7.2, server.c, prepareForShutdown and sigShutdownHandler.
type ending struct {
	state     endState
	mode      admin.ShutdownMode
	until     int64 // end of the wait
	signalled bool  // a signal has come since the last end was given up
}

// begin starts an end that waits for limit at most; false if one has begun before.
func (e *ending) begin(now int64, mode admin.ShutdownMode, limit time.Duration) bool {
	if e.state != endServing {
		return false
	}
	e.state, e.mode, e.until = endWaiting, mode, now
	if !mode.Now {
		e.until = now + int64(limit)
	}
	return true
}

// signal notes a signal and reports whether it ends the node at once, with nothing saved.
func (e *ending) signal(interrupt bool) (atOnce bool) {
	if e.signalled && interrupt {
		e.state = endOver
		return true
	}
	e.signalled = true
	return false
}

// force makes sure that an end which has begun comes, whether the data can be saved or
// not; with now it waits for nobody.
func (e *ending) force(now bool) {
	e.mode.Force = true
	if now {
		e.mode.Now, e.until = true, 0
	}
}

// leave ends the wait if ready, or if it is over; false if there is none or it goes on.
func (e *ending) leave(now int64, ready bool) bool {
	if e.state != endWaiting || !ready && now < e.until {
		return false
	}
	e.state = endLeaving
	return true
}

// abort takes an end back that still waits.
func (e *ending) abort() bool {
	if e.state != endWaiting {
		return false
	}
	*e = ending{}
	return true
}

// left notes how leaving came out; false: the node goes on serving.
func (e *ending) left(err error) bool {
	if e.state == endLeaving && err != nil && !e.mode.Force {
		*e = ending{}
		return false
	}
	e.state = endOver
	return true
}
