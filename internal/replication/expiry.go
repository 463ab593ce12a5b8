package replication

import (
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// Expiry is the engine's Sink: the deletion of an expired key becomes a DEL in the
// effect log. Replicas never expire by themselves.
type Expiry struct{ Log *effects.Log }

var delWord = []byte("DEL")

// Append implements engine.Sink.
func (x Expiry) Append(slot slots.Slot, db int, e engine.Effect) {
	if e.Kind == engine.EffectDelete {
		x.Log.AppendEntry(slot, db, delWord, e.Key)
	}
}
