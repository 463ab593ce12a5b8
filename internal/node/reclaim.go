package node

import (
	"context"
	"math"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/engine"
)

const (
	// reclaimEvery is how often it is looked for work when there was none.
	reclaimEvery = 100 * time.Millisecond
	// reclaimTurn bounds a turn of each kind of work, so that goroutines that share the
	// core get it back soon.
	reclaimTurn = time.Millisecond
	// pauseLeast is the shortest pause between two turns.
	pauseLeast = 200 * time.Microsecond
	// awaitedShare is the part of a core while a client waits for memory to be free.
	awaitedShare = 0.75
	// evictMost bounds what a command may evict before it runs, whatever the tenacity.
	evictMost = 25 * time.Millisecond
)

// reclaim deletes expired keys (on a primary), makes room where memory is over its limit,
// and carries on what is done behind the commands, until ctx ends. While there is much to
// do turns and pauses alternate so that it takes its share of a core and no more.
func (n *Node) reclaim(ctx context.Context) error {
	pause := time.NewTimer(reclaimEvery)
	defer pause.Stop()
	var behind int64 // clock.Mono since when there has been work in every turn, 0: not so
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		case <-n.reclaimSoon:
		}
		began := clock.Mono()
		more := n.reclaimOnce()
		wait := reclaimEvery
		if !more {
			behind = 0
		} else if behind == 0 {
			behind = began
		}
		if spent := clock.Mono() - began; more {
			share := reclaimShare(n.cfg.ActiveExpireEffort.Get(), time.Duration(began-behind))
			if n.keyspace.FreeingAwaited() {
				share = awaitedShare
			}
			wait = max(pauseLeast, time.Duration(float64(spent)*(1-share)/share))
		}
		pause.Reset(wait)
	}
}

// reclaimShare is the part of a core for an active-expire-effort from 1 to 10 (Redis 7.2,
// expire.c: ACTIVE_EXPIRE_CYCLE_SLOW_TIME_PERC and 2 for each step). It doubles within
// three seconds in which the work has not come to an end.
func reclaimShare(effort int64, behind time.Duration) float64 {
	share := float64(25+2*(effort-1)) / 100
	return share * (1 + min(1, behind.Seconds()/3))
}

// reclaimOnce does one turn of each kind of work and reports whether there is more.
func (n *Node) reclaimOnce() (more bool) {
	now := clock.WallMillis()
	if n.mayDelete() {
		if !n.expireOff.Load() {
			began := clock.Mono()
			n.keyspace.ExpireStep(now, reclaimTurn)
			more = clock.Mono()-began >= int64(reclaimTurn)
		}
		if n.keyspace.MakeRoom(now, reclaimTurn) == engine.RoomBeingMade {
			more = true
		}
	}
	return n.keyspace.BackgroundStep(now, reclaimTurn) || more
}

// mayDelete reports whether this node deletes keys on its own account: replicas do not,
// nor does a node whose writes are paused.
func (n *Node) mayDelete() bool {
	return !n.loading.now() && !n.repl.IsReplica() && !n.server.Paused() && (n.cluster == nil || n.cluster.mayExpire())
}

// overMemory is the gate of maxmemory: it evicts for as long as maxmemory-eviction-tenacity
// says and reports whether nothing is left to evict. A replica does neither; its primary
// tells it what goes.
func (n *Node) overMemory() bool {
	if !n.keyspace.OverLimit() || !n.mayDelete() {
		return false
	}
	room := n.keyspace.MakeRoom(clock.WallMillis(), time.Duration(n.evictNanos.Load()))
	if room == engine.RoomBeingMade {
		n.hurry()
	}
	return room == engine.RoomNone
}

// hurry ends reclaim's pause.
func (n *Node) hurry() {
	select {
	case n.reclaimSoon <- struct{}{}:
	default:
	}
}

// evictTime returns how long a command may evict. Redis 7.2, evict.c, evictionTimeLimitUs;
// there 100 is without limit.
func evictTime(tenacity int64) time.Duration {
	if tenacity <= 10 {
		return time.Duration(50*tenacity) * time.Microsecond
	}
	return min(evictMost, time.Duration(500*math.Pow(1.15, float64(tenacity-10)))*time.Microsecond)
}

// bindEviction gives the engine its limit and policy, now and when CONFIG SET changes them.
func (n *Node) bindEviction(cfg *config.Config) {
	apply := func() error {
		policy, _ := engine.PolicyNamed(cfg.MaxMemoryPolicy.Get()) // the directive takes no other names
		n.evictNanos.Store(int64(evictTime(cfg.EvictionTenacity.Get())))
		n.keyspace.SetEviction(engine.EvictionSettings{
			LimitBytes: cfg.MaxMemoryBytes.Get(), Policy: policy, Samples: int(cfg.MaxMemorySamples.Get()),
			LFULogFactor: cfg.LFULogFactor.Get(), LFUDecayMinutes: cfg.LFUDecayMinutes.Get(),
		})
		n.hurry() // the limit may be below what is used
		return nil
	}
	for _, directive := range []string{
		"maxmemory", "maxmemory-policy", "maxmemory-samples", "maxmemory-eviction-tenacity", "lfu-log-factor", "lfu-decay-time",
	} {
		cfg.OnChange(directive, apply)
	}
	_ = apply() // never fails
}
