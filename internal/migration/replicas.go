package migration

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redwingdb/redwing/internal/effects"
)

// Copy is an attached replica as replication knows it.
type Copy struct {
	Online bool          // past its full sync
	Offset int64         // acknowledged
	Silent time.Duration // since it was last heard
}

// Attached is Replicas over what replication tells of its replicas.
type Attached struct {
	// Copies returns the attached replicas.
	Copies func() []Copy
	// CutCount counts the cuts for full syncs, as Replicas.Cuts demands.
	CutCount func() uint64
	// Log is asked to put REPLCONF GETACK into the stream.
	Log *effects.Log
	// NodeTimeout is how long a silent replica counts: cluster-node-timeout.
	NodeTimeout time.Duration

	asked atomic.Int64 // offset at which LagBytes asked last
}

// confirmEvery is how often Confirm looks at the acknowledgements, and confirmAsk at
// how many looks it asks for new ones.
const (
	confirmEvery = time.Millisecond
	confirmAsk   = 50
	// askBytes is how much may pass between two questions of LagBytes.
	askBytes = 2 << 20
)

// Confirm returns nil once every replica that is online and not silent has acknowledged
// offset.
func (a *Attached) Confirm(ctx context.Context, offset int64) error {
	for try := 0; ; try++ {
		if a.confirmed(offset) {
			return nil
		}
		if try%confirmAsk == 0 {
			a.ask()
		}
		if err := pause(ctx, confirmEvery); err != nil {
			return err
		}
	}
}

func (a *Attached) confirmed(offset int64) bool {
	for _, c := range a.Copies() {
		if c.Online && c.Silent < a.NodeTimeout && c.Offset < offset {
			return false
		}
	}
	return true
}

// LagBytes is how far the slowest replica that counts is behind. Acknowledgements come
// once a second by themselves, so that beyond askBytes it asks for one.
func (a *Attached) LagBytes() (lag int64) {
	end := a.Log.Offset()
	for _, c := range a.Copies() {
		if c.Online && c.Silent < a.NodeTimeout {
			lag = max(lag, end-c.Offset)
		}
	}
	if asked := a.asked.Load(); lag > askBytes && end-asked > askBytes && a.asked.CompareAndSwap(asked, end) {
		a.ask()
	}
	return lag
}

func (a *Attached) ask() {
	a.Log.AppendControl([]byte("REPLCONF"), []byte("GETACK"), []byte("*"))
}

// Cuts counts the cuts for full syncs.
func (a *Attached) Cuts() uint64 { return a.CutCount() }
