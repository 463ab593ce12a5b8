package engine

import (
	"math/bits"
	"sync"

	"github.com/redwingdb/redwing/internal/slots"
)

// ShardMask is a set of data shards: bit i stands for shard i.
type ShardMask uint64

// Waiter is a party that could not lock because a shard has an owner.
type Waiter struct {
	// Wake is called once for each refused TryLock, when the owner that refused it has
	// gone, never under a shard's mutex. It must not block.
	Wake func()
}

// shardLock is the lock of a data shard: a mutex, held for one short command, and an
// owner, which is a long command that holds the shard with its mutex free.
//
//	free --TryLock/Lock--> locked --Unlock--> free
//	free --Own--> owned --Disown--> free (and every waiter is woken, in order)
type shardLock struct {
	sync.Mutex
	owned   bool      // guarded by Mutex
	waiters []*Waiter // guarded by Mutex; parties refused by the present owner, one entry a TryLock
}

// NumShards returns the number of data shards.
func (k *Keyspace) NumShards() int { return len(k.shards) }

// ShardOf returns the number of the data shard that holds slot s.
func (k *Keyspace) ShardOf(s slots.Slot) int { return int(uint32(s) & k.shardBits) }

// Mask returns the set of the one shard that holds slot s.
func (k *Keyspace) Mask(s slots.Slot) ShardMask { return 1 << (uint32(s) & k.shardBits & 63) }

// AllShards returns the set of all data shards.
func (k *Keyspace) AllShards() ShardMask { return ShardMask(^uint64(0) >> (64 - len(k.shards))) }

// TryLock locks the shards of m in ascending order. Meeting an owner it appends w
// (which may be nil) to that shard's queue, unlocks what it has locked and returns
// false; nothing is locked then, and the caller parks until w is woken and starts over.
func (k *Keyspace) TryLock(m ShardMask, w *Waiter) bool {
	for rest := uint64(m); rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		l := &k.shards[i].lock
		l.Lock()
		if !l.owned {
			continue
		}
		if w != nil {
			l.waiters = append(l.waiters, w)
		}
		l.Unlock()
		k.Unlock(m & (1<<i - 1))
		return false
	}
	return true
}

// Unlock unlocks the shards of m, all of which the caller has locked.
func (k *Keyspace) Unlock(m ShardMask) {
	for rest := uint64(m); rest != 0; rest &= rest - 1 {
		k.shards[bits.TrailingZeros64(rest)].lock.Unlock()
	}
}

// Lock locks the shards of m, parking while one of them has an owner. It is for
// goroutines that may block; loops use TryLock.
func (k *Keyspace) Lock(m ShardMask) {
	if k.TryLock(m, nil) {
		return
	}
	woken := make(chan struct{}, 1)
	w := &Waiter{Wake: func() { woken <- struct{}{} }}
	for !k.TryLock(m, w) {
		<-woken
	}
}

// Own makes the caller the owner of every shard of m, all or none, parking as needed.
// Their mutexes are free when it returns; until Disown the caller alone may use them.
func (k *Keyspace) Own(m ShardMask) {
	k.Lock(m)
	k.OwnLocked(m)
}

// OwnLocked makes the caller, who has locked the shards of m, their owner: what was
// done under the locks and what follows are one. The mutexes are free when it returns.
func (k *Keyspace) OwnLocked(m ShardMask) {
	for rest := uint64(m); rest != 0; rest &= rest - 1 {
		k.shards[bits.TrailingZeros64(rest)].lock.owned = true
	}
	k.Unlock(m)
}

// Disown gives back the shards of m, which the caller owns, and wakes who waits.
func (k *Keyspace) Disown(m ShardMask) {
	for rest := uint64(m); rest != 0; rest &= rest - 1 {
		l := &k.shards[bits.TrailingZeros64(rest)].lock
		l.Lock()
		l.owned = false
		waiters := l.waiters
		l.waiters = nil
		l.Unlock()
		for _, w := range waiters {
			w.Wake()
		}
	}
}
