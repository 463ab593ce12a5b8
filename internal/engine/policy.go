package engine

import (
	"math"
	"sync"
	"sync/atomic"
)

// Policy says which keys go when memory is over its limit (maxmemory-policy).
type Policy uint8

// The policies of Redis: none, or the domain of keys (all, or those with an expiry) and
// the rule among them.
const (
	NoEviction Policy = iota
	AllKeysLRU
	AllKeysLFU
	AllKeysRandom
	VolatileLRU
	VolatileLFU
	VolatileRandom
	VolatileTTL
)

var policyNames = [...]string{
	NoEviction: "noeviction", AllKeysLRU: "allkeys-lru", AllKeysLFU: "allkeys-lfu", AllKeysRandom: "allkeys-random",
	VolatileLRU: "volatile-lru", VolatileLFU: "volatile-lfu", VolatileRandom: "volatile-random", VolatileTTL: "volatile-ttl",
}

// String returns Redis' name of p.
func (p Policy) String() string { return policyNames[p] }

// PolicyNamed returns the policy that Redis calls name.
func PolicyNamed(name string) (Policy, bool) {
	for p, n := range policyNames {
		if n == name {
			return Policy(p), true
		}
	}
	return 0, false
}

// LFU reports whether p goes by access counters.
func (p Policy) LFU() bool { return p == AllKeysLFU || p == VolatileLFU }

func (p Policy) volatile() bool { return p >= VolatileLRU }
func (p Policy) random() bool   { return p == AllKeysRandom || p == VolatileRandom }

// EvictionSettings are those that CONFIG SET may change at run time.
type EvictionSettings struct {
	// LimitBytes is maxmemory: what UsedMemory and CountBytes may come to. 0: no limit.
	LimitBytes int64
	Policy     Policy
	// Samples is how many keys of a database are looked at for one victim, 1 to 64 (0: 5).
	Samples int
	// LFULogFactor and LFUDecayMinutes are lfu-log-factor and lfu-decay-time.
	LFULogFactor, LFUDecayMinutes int64
}

// eviction is the state of the keyspace's limit.
type eviction struct {
	settings atomic.Pointer[EvictionSettings]
	lfu      atomic.Pointer[lfu] // nil: the policy is none of LFU
	// ceiling is what counted may come to without a closer look. It is the limit less
	// what counted may be short of, once the settings have reached all shards, and
	// nothing before.
	ceiling   atomic.Int64
	elsewhere atomic.Int64 // what CountBytes has added
	kept      atomic.Int64 // of UsedMemory, what only pins of snapshots name: nearly
	mu        struct {     // guards changes of the settings and of ceiling
		sync.Mutex
		unheeded bool // the settings have not reached all shards
	}

	evictors [4]evictor

	evicted   atomic.Int64
	overSince atomic.Int64 // clock.Mono since when memory has been over its limit, 0: it is not
	overNanos atomic.Int64 // how long it was, in all
}

const (
	// slackMost is how much a shard may have used without telling, in bytes.
	slackMost = 16 << 10
	// slackShift is the logarithm of the part of the limit that a shard may have.
	slackShift = 16
)

// slack returns what a shard may keep from counted under these settings, in bytes.
func (s *EvictionSettings) slack() int64 {
	if s.LimitBytes == 0 {
		return slackMost
	}
	return min(s.LimitBytes>>slackShift, slackMost)
}

// SetEviction changes limit and policy. It takes no lock of a shard.
func (k *Keyspace) SetEviction(s EvictionSettings) {
	if s.Samples == 0 {
		s.Samples = 5
	}
	e := &k.eviction
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.Policy.LFU() {
		e.lfu.Store(&lfu{s.LFULogFactor, s.LFUDecayMinutes})
	} else {
		e.lfu.Store(nil)
	}
	e.settings.Store(&s)
	e.mu.unheeded = true
	if s.LimitBytes > 0 {
		e.ceiling.Store(math.MinInt64)
	} else {
		e.ceiling.Store(math.MaxInt64)
	}
}

// Eviction returns the settings in force.
func (k *Keyspace) Eviction() EvictionSettings { return *k.eviction.settings.Load() }

// CountBytes counts n bytes (taken back if negative) that lie elsewhere, in buffers of
// clients and the like, as used.
func (k *Keyspace) CountBytes(n int64) {
	k.eviction.elsewhere.Add(n)
	k.counted.Add(n)
}

// BufferBytes returns what CountBytes has added.
func (k *Keyspace) BufferBytes() int64 { return k.eviction.elsewhere.Load() }

// keep counts n bytes more, or fewer, as kept for snapshots alone.
func (k *Keyspace) keep(n int64) {
	k.eviction.kept.Add(n)
	k.counted.Add(-n)
}

// CountedBytes returns what is held against the limit: UsedMemory, without what only
// snapshots still read of big collections, and CountBytes.
func (k *Keyspace) CountedBytes() int64 {
	return k.UsedMemory() - k.eviction.kept.Load() + k.eviction.elsewhere.Load()
}

// OverLimit reports whether more is counted than the limit allows; from one part in a
// thousand below the limit on it may say so too. It needs no lock and costs two loads.
func (k *Keyspace) OverLimit() bool {
	return k.counted.Sum() > k.eviction.ceiling.Load() && k.overCeiling()
}

func (k *Keyspace) overCeiling() bool {
	e := &k.eviction
	limit := e.settings.Load().LimitBytes
	return limit > 0 && (e.ceiling.Load() != math.MinInt64 || k.CountedBytes() > limit)
}

// heedEviction makes the shards tell what they use by the present settings. It is
// called by the goroutine of BackgroundStep. REQUIRES: no shard locked by the caller.
func (k *Keyspace) heedEviction() {
	e := &k.eviction
	e.mu.Lock()
	unheeded := e.mu.unheeded
	e.mu.Unlock()
	if !unheeded {
		return
	}
	s := e.settings.Load()
	for i := range k.shards {
		if !k.TryLock(1<<i, nil) {
			return // it has an owner: the next time
		}
		k.shards[i].arena.SetSlack(s.slack())
		k.Unlock(1 << i)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.settings.Load() != s {
		return // changed meanwhile
	}
	e.mu.unheeded = false
	if s.LimitBytes > 0 {
		e.ceiling.Store(s.LimitBytes - s.slack()*int64(len(k.shards)))
	}
}
