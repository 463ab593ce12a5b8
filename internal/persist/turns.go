package persist

import (
	"context"
	"sync/atomic"
	"time"
)

// Turn is what a snapshot of the whole node is taken for.
type Turn int32

const (
	TurnNone    Turn = iota
	TurnSave         // the RDB file
	TurnRewrite      // the base of the append-only file
	TurnSync         // a full sync
)

// Turns lets one snapshot of the whole node be under way at a time: each copies what is
// written meanwhile. Those who wait get their turn in the order in which they came. The
// zero Turns is not ready for use: see NewTurns.
type Turns struct {
	token  chan struct{}
	holder atomic.Int32
}

// NewTurns returns Turns that nobody holds.
func NewTurns() *Turns { return &Turns{token: make(chan struct{}, 1)} }

// Try takes the turn if it is free.
func (t *Turns) Try(what Turn) bool {
	select {
	case t.token <- struct{}{}:
		t.holder.Store(int32(what))
		return true
	default:
		return false
	}
}

// Take waits for the turn until ctx ends, or for a while: taken is false then. until may
// be nil.
func (t *Turns) Take(ctx context.Context, what Turn, until <-chan time.Time) (taken bool, err error) {
	select {
	case t.token <- struct{}{}:
		t.holder.Store(int32(what))
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-until:
		return false, nil
	}
}

// Done gives the turn back.
func (t *Turns) Done() {
	t.holder.Store(int32(TurnNone))
	<-t.token
}

// Holder returns what the turn is held for, TurnNone if it is free.
func (t *Turns) Holder() Turn { return Turn(t.holder.Load()) }
