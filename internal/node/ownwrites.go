package node

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// ownWrites is the engine's Sink: what it deletes on its own account becomes an effect
// of the log and an event, and of an evicted key its watchers hear. (An expired key is no
// change for them: they see that it is not there.)
type ownWrites struct{ n *Node }

var (
	wordDel    = []byte("DEL")
	wordUnlink = []byte("UNLINK")
	wordHDel   = []byte("HDEL")
)

// Append implements engine.Sink.
func (w ownWrites) Append(slot slots.Slot, db int, e engine.Effect) {
	if e.Kind == engine.EffectDeleteField {
		offset := w.n.effects.AppendEntry(slot, db, wordHDel, e.Key, e.Field)
		w.n.events.Emit(command.NotifyHash, "hexpired", db, e.Key, offset)
		return
	}
	word, lazy := wordDel, &w.n.cfg.LazyExpire
	class, event := command.NotifyExpired, "expired"
	if e.Kind == engine.EffectEvict {
		lazy = &w.n.cfg.LazyEviction
		class, event = command.NotifyEvicted, "evicted"
		w.n.server.Watches().Touch(db, slot, e.Key)
	}
	if lazy.Get() {
		word = wordUnlink
	}
	offset := w.n.effects.AppendEntry(slot, db, word, e.Key)
	w.n.events.Emit(class, event, db, e.Key, offset)
	if w.n.server != nil { // there are no clients before
		w.n.server.Hearers().Waits.Gone(db, slot, e.Key)
	}
}
