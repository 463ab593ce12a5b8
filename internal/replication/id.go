package replication

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// ID names a history of effects: 40 lower-case hex digits.
type ID string

// noID is shown where there is no second history.
const noID ID = "0000000000000000000000000000000000000000"

func newID() ID {
	var b [20]byte
	_, _ = rand.Read(b[:]) // it never fails (crypto/rand)
	return ID(hex.EncodeToString(b[:]))
}

// validID reports whether s can be an id that another server gave.
func validID(s string) bool {
	return len(s) == 40 && strings.Trim(s, "0123456789abcdef") == ""
}

// history is what this node's data are: offset x of id, and the same up to second-1 of
// id2, the history it had before its promotion. -1: no second history.
type history struct {
	id, id2 ID
	second  int64 // PSYNC's counting: the first offset, from 1, that id2 does not share
}

func newHistory() history { return history{id: newID(), id2: noID, second: -1} }

// holds reports whether the byte that a replica wants next (counted from 1) continues
// the history it knows as id.
func (h *history) holds(id ID, next int64) bool {
	return id == h.id || id == h.id2 && next <= h.second
}

// shift begins a new history at offset: what came before is shared with the old one.
func (h *history) shift(offset int64) {
	h.id2, h.second = h.id, offset+1
	h.id = newID()
}

// adopt takes the primary's new id after it accepted our old one at offset.
func (h *history) adopt(id ID, offset int64) {
	if id == h.id {
		return
	}
	h.id2, h.second = h.id, offset+1
	h.id = id
}

// ChangeID begins a new history here (DEBUG CHANGE-REPL-ID): replicas that come back find
// nothing to share and start over.
func (r *Replication) ChangeID() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.history = newHistory()
}
