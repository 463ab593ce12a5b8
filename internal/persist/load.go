package persist

import (
	"errors"
	"fmt"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist/rdb"
	"github.com/redwingdb/redwing/internal/slots"
)

// ErrKeyTwice is returned for a key that is there already.
var ErrKeyTwice = fmt.Errorf("%w: a key twice", rdb.ErrFormat)

// Loader puts values into a keyspace as they are read, piece by piece: a rdb.Sink. A small
// value in a packed form stays the bytes that it is, if the keyspace's limits allow; any
// other is built element by element and gets the encoding that it would have here.
type Loader struct {
	// Access is the database to load into.
	Access engine.Access
	// Keyspace, if set, has the shard of the key locked by the Loader for each piece, so
	// that nobody waits for what is still to be read. Nil: the caller has locked it.
	Keyspace *engine.Keyspace
	// Continue lets values go on where the key is there already: pieces of one value come
	// as values of their own (Pieces).
	Continue bool

	slot    slots.Slot
	key     []byte
	read    *rdb.Key
	list    engine.List
	hash    engine.Hash
	stream  engine.Stream
	group   []byte // the names of the group and of the consumer that came last
	owner   []byte
	set     engine.Set
	zset    engine.ZSet
	stale   bool // the handles are not open
	elems   [][]byte
	ints    []byte
	digits  [20]byte
	digits2 [20]byte
}

// Load reads the value of the key that r has come to. Collections without elements are
// left out, as in Redis. On error a part of the value may be there.
func (l *Loader) Load(r *rdb.Reader) error {
	return l.LoadAs(r, r.Key.Key)
}

// LoadAs is Load under another name for the key.
func (l *Loader) LoadAs(r *rdb.Reader, key []byte) error {
	l.slot, l.key, l.read, l.stale = slots.Of(key), key, &r.Key, true
	if !l.Continue {
		l.lock()
		_, there := l.Access.Peek(l.slot, l.key)
		l.unlock()
		if there {
			return ErrKeyTwice
		}
	}
	if err := r.Value(l); err != nil {
		if errors.Is(err, rdb.ErrEmpty) {
			return nil
		}
		return err
	}
	l.lock()
	defer l.unlock()
	return l.attributes()
}

// attributes gives the key its expiry and its access clock.
func (l *Loader) attributes() error {
	k := l.read
	if k.ExpireAt != 0 && k.Kind != rdb.KindString {
		if _, err := l.Access.SetExpireAt(l.slot, l.key, k.ExpireAt); err != nil {
			return err
		}
	}
	switch {
	case k.Freq >= 0:
		l.Access.SetFreq(l.slot, l.key, uint8(k.Freq))
	case k.Idle >= 0:
		l.Access.SetIdle(l.slot, l.key, k.Idle)
	}
	return nil
}

func (l *Loader) lock() {
	if l.Keyspace != nil {
		l.Keyspace.Lock(l.Keyspace.Mask(l.slot))
		l.stale = true
	}
}

func (l *Loader) unlock() {
	if l.Keyspace != nil {
		l.Keyspace.Unlock(l.Keyspace.Mask(l.slot))
	}
}

// opens says whether a handle must be opened before it is used: at the first piece, and
// at each where others may have had the shard since.
func (l *Loader) opens() bool {
	stale := l.stale
	l.stale = false
	return stale
}

// String implements rdb.Sink.
func (l *Loader) String(b []byte) error {
	l.lock()
	defer l.unlock()
	return l.Access.SetString(l.slot, l.key, b, l.read.ExpireAt)
}

// Packed implements rdb.Sink.
func (l *Loader) Packed(k rdb.Kind, n int, b []byte) error {
	l.lock()
	defer l.unlock()
	switch k {
	case rdb.KindHashListpack, rdb.KindHashTTLPack:
		return l.packedHash(n, b, k == rdb.KindHashTTLPack)
	case rdb.KindSetIntset:
		return l.packedIntset(n, b)
	case rdb.KindSetListpack:
		return l.packedSet(n, b)
	case rdb.KindZSetListpack:
		return l.packedZSet(n, b)
	}
	return fmt.Errorf("%w: %s", rdb.ErrUnsupported, k)
}

func (l *Loader) create(t engine.Type, e engine.Encoding, b []byte) error {
	var v engine.Value
	if v.Open(&l.Access, l.slot, l.key) {
		return ErrKeyTwice
	}
	return v.Create(t, e, b)
}

// once makes an element that was there already an error.
func once(added bool, err error) error {
	if err == nil && !added {
		err = rdb.ErrDuplicate
	}
	return err
}
