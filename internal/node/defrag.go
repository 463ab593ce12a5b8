package node

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/engine"
)

const (
	// defragEvery is how often it is looked whether blocks are to be moved.
	defragEvery = 100 * time.Millisecond
	// defragTurn bounds the time between two pauses.
	defragTurn = 500 * time.Microsecond
	// defragIdle is the pause after a pass that could move nothing.
	defragIdle = 10 * time.Second
)

// defragState is what INFO shows of active defragmentation.
type defragState struct {
	percent atomic.Int64 // of a core; 0: it does not run
	since   atomic.Int64 // clock.Mono since when it runs, 0: it does not
	nanos   atomic.Int64 // how long it ran before
}

func (d *defragState) run(percent int64) {
	d.percent.Store(percent)
	since := d.since.Load()
	switch now := clock.Mono(); {
	case percent > 0 && since == 0:
		d.since.Store(now)
	case percent == 0 && since != 0:
		d.nanos.Add(now - since)
		d.since.Store(0)
	}
}

// millis returns how long it has run in all and, 0 if it does not, since it last began.
func (d *defragState) millis() (total, current int64) {
	if since := d.since.Load(); since != 0 {
		current = (clock.Mono() - since) / 1e6
	}
	return d.nanos.Load()/1e6 + current, current
}

// defragment moves blocks together while activedefrag is on and fragmentation is over its
// thresholds, until ctx ends. A pass that has begun is finished, unless it is turned off.
func (n *Node) defragment(ctx context.Context) error {
	pause := time.NewTimer(defragEvery)
	defer pause.Stop()
	inPass, hits := false, int64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
		percent := n.defrag.percent.Load()
		if wanted := defragPercent(n.cfg, n.keyspace.Stats()); !inPass || wanted > percent || !n.cfg.ActiveDefrag.Get() {
			percent = wanted
		}
		n.defrag.run(percent)
		if percent == 0 {
			pause.Reset(defragEvery)
			continue
		}
		if !inPass {
			inPass, hits = true, n.keyspace.DefragStats().Hits
		}
		began := clock.Mono()
		over := n.keyspace.DefragStep(n.cfg.DefragScanFields.Get(), defragTurn)
		spent := clock.Mono() - began
		wait := max(pauseLeast, time.Duration(spent*(100-percent)/percent))
		if over {
			inPass = false
			if n.keyspace.DefragStats().Hits <= hits {
				n.defrag.run(0)
				wait = defragIdle
			}
		}
		pause.Reset(wait)
	}
}

// defragPercent returns the share of a core that defragmentation is worth: none below the
// lower thresholds, from there on between cycle-min and cycle-max as fragmentation goes
// to the upper one. Redis 7.2, defrag.c, computeDefragCycles.
func defragPercent(c *config.Config, st engine.Stats) int64 {
	free := st.ActiveBytes - st.ArenaBytes
	frag := 100 * float64(free) / float64(max(st.ArenaBytes, 1))
	lower, upper := float64(c.DefragLowerPercent.Get()), float64(c.DefragUpperPercent.Get())
	if !c.ActiveDefrag.Get() || free < c.DefragIgnoreBytes.Get() || frag < lower {
		return 0
	}
	least, most := c.DefragCycleMin.Get(), c.DefragCycleMax.Get()
	if most <= least || upper <= lower {
		return least
	}
	return least + int64(min(1, (frag-lower)/(upper-lower))*float64(most-least))
}
