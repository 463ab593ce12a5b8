package engine

import "sync/atomic"

// What was detached is freed behind the commands: graves (tables of flushed databases and
// dropped slots) and roots (big values). Objects are the keys and values among them.

// burial is the part of a shard's state that tells what waits to be freed.
type burial struct {
	objects atomic.Int64 // keys in graves, and roots
	freed   atomic.Int64 // objects that were freed since the start
	serial  uint64       // of the newest grave; guarded by the shard's lock, as is waits
	waits   []freedWait
}

// freedWait is who waits for the graves of a shard up to one of them.
type freedWait struct {
	upTo uint64
	left *atomic.Int32 // shards where the waiter waits
	wake func()
}

// buryLocked leaves a grave with the given number of keys to be freed.
func (sh *shard) buryLocked(g *grave, keys int64) {
	sh.burial.serial++
	g.serial = sh.burial.serial
	sh.graves = append(sh.graves, g)
	sh.buried.Add(1)
	sh.burial.objects.Add(keys)
}

// freedLocked counts objects that have been freed.
func (sh *shard) freedLocked(objects int64) {
	sh.burial.objects.Add(-objects)
	sh.burial.freed.Add(objects)
}

// WhenFreed has wake called once, by whoever frees last, when all that is detached now is
// free, except what a snapshot holds. It returns false, and will not call it, if that is
// nothing. wake must not block. REQUIRES: AllShards, locked or owned.
func (k *Keyspace) WhenFreed(wake func()) bool {
	left := new(atomic.Int32)
	for i := range k.shards {
		sh := &k.shards[i]
		if sh.nothingToFreeLocked(sh.burial.serial) {
			continue
		}
		left.Add(1)
		sh.burial.waits = append(sh.burial.waits, freedWait{sh.burial.serial, left, wake})
		k.awaited.Add(1)
	}
	return left.Load() > 0
}

// FreeingAwaited reports whether somebody waits for memory to be freed.
func (k *Keyspace) FreeingAwaited() bool { return k.awaited.Load() > 0 }

// nothingToFreeLocked reports whether no big value waits to be freed, and no grave up to
// the given one that could be freed now.
func (sh *shard) nothingToFreeLocked(upTo uint64) bool {
	if len(sh.roots) > 0 {
		return false
	}
	for _, g := range sh.graves {
		if g.serial <= upTo && !g.heldLocked() {
			return false
		}
	}
	return true
}

// wakeFreedLocked tells those whose wait is over. The last shard's wakes.
func (k *Keyspace) wakeFreedLocked(sh *shard) {
	kept := sh.burial.waits[:0]
	for _, w := range sh.burial.waits {
		if !sh.nothingToFreeLocked(w.upTo) {
			kept = append(kept, w)
			continue
		}
		k.awaited.Add(-1)
		if w.left.Add(-1) == 0 {
			w.wake()
		}
	}
	clear(sh.burial.waits[len(kept):])
	sh.burial.waits = kept
}
