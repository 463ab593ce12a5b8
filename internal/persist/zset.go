package persist

import (
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

func kindOfZSet(e *engine.Entry) rdb.Kind {
	if e.Encoding == engine.EncListpack {
		return rdb.KindZSetListpack
	}
	return rdb.KindZSet2
}

func (l *Loader) packedZSet(n int, lp []byte) error {
	if n <= l.Access.Limits().ZSetEntries {
		return l.create(engine.TypeZSet, engine.EncListpack, lp)
	}
	return engine.EachPackedScore(lp, l.scored)
}

// Scored implements rdb.Sink.
func (l *Loader) Scored(member []byte, score float64) error {
	l.lock()
	defer l.unlock()
	return l.scored(member, score)
}

func (l *Loader) scored(member []byte, score float64) error {
	if l.opens() {
		if _, err := l.zset.Open(&l.Access, l.slot, l.key); err != nil {
			return err
		}
	}
	did, _, err := l.zset.Add(member, score, engine.ZAddNX)
	return once(did == engine.ZAdded, err)
}
