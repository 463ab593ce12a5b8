package arena

const (
	// idleLeastPages is the shortest free run worth giving back.
	idleLeastPages = 16
	// adviseBytes is the length of one madvise call.
	adviseBytes = 2 << 20
)

// Idle is a free run on its way back to the system.
type Idle struct{ id, start, pages uint32 }

// IdleBytes returns the free bytes that may still be resident. It may be called without
// the owner's lock.
func (a *Arena) IdleBytes() int64 { return a.dirty.Load() << pageShift }

// TakeIdle takes a free run off the free lists, if there is one worth giving back. The
// caller then calls Advise without, and PutBack with the arena's lock.
func (a *Arena) TakeIdle() (Idle, bool) {
	for bin := len(a.bins.head) - 1; bin >= binOf(idleLeastPages); bin-- {
		id := a.bins.head[bin]
		for range binProbes {
			if id == 0 {
				break
			}
			if a.runs[id].used >= idleLeastPages {
				return a.takeIdle(id), true
			}
			id = a.runs[id].next
		}
	}
	return Idle{}, false
}

// takeIdle takes the whole run, however long: what is left behind of a part would be
// merged with it again, and nobody would know which part is done.
func (a *Arena) takeIdle(id uint32) Idle {
	a.unlinkFree(id)
	r := &a.runs[id]
	r.kind, r.used = runAdvising, 0
	a.setEnds(id)
	return Idle{id, r.start, r.pages}
}

// Advise gives the pages of i back to the system. It needs no lock.
func (a *Arena) Advise(i Idle) { a.mem.advise(i.start, i.pages) }

// PutBack returns i, advised, to the free lists.
func (a *Arena) PutBack(i Idle) { a.freeRun(i.id, 0) }
