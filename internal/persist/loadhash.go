package persist

import (
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/listpack"
)

// packedHash takes a listpack of fields and values, with expiring of fields, values and
// expiries.
func (l *Loader) packedHash(n int, lp []byte, expiring bool) error {
	if n <= l.Access.Limits().HashEntries && !expiring {
		return l.create(engine.TypeHash, engine.EncListpack, lp)
	}
	for off := listpack.First(lp); off >= 0; off = listpack.Next(lp, off) {
		field := listpack.Get(lp, off, l.digits[:0])
		off = listpack.Next(lp, off)
		value := listpack.Get(lp, off, l.digits2[:0])
		at := int64(0)
		if expiring {
			off = listpack.Next(lp, off)
			_, at, _ = listpack.Value(lp, off)
		}
		if err := l.field(field, value, at); err != nil {
			return err
		}
	}
	return nil
}

// Field implements rdb.Sink.
func (l *Loader) Field(field, value []byte, expireAt int64) error {
	l.lock()
	defer l.unlock()
	return l.field(field, value, expireAt)
}

func (l *Loader) field(field, value []byte, expireAt int64) error {
	if l.opens() {
		if _, err := l.hash.Open(&l.Access, l.slot, l.key); err != nil {
			return err
		}
	}
	return once(l.hash.Put(field, value, expireAt))
}
