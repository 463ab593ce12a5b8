package transfer

import (
	"errors"
	"fmt"

	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// Value is what is known of a value without having it.
type Value struct {
	There    bool
	Digest   Digest
	ExpireAt int64 // Unix milliseconds, 0: never
	// Passing: it goes by itself, or some of its fields do.
	Passing bool
}

// Same reports whether two values are the same.
func (v Value) Same(w Value) bool {
	return v.There == w.There && v.Digest == w.Digest && v.ExpireAt == w.ExpireAt
}

// Passing reports whether the key that r has come to may go by itself.
func Passing(r *rdb.Reader) bool {
	return r.Key.ExpireAt != 0 || fieldsExpire(r.Key.Kind)
}

// Check compares the values of an RDB with those of a cluster. It gathers keys, and asks the
// cluster for many at once. It is used by one goroutine.
type Check struct {
	s *Sender
	d *digester
	// Met hears of each key in turn: what the RDB has, and the cluster.
	Met func(i int64, key []byte, want, have Value) error

	batch []checked
	bytes int
}

type checked struct {
	i    int64
	key  []byte
	want Value
}

// Bounds of what is asked for at once.
const (
	checkKeys  = 512
	checkBytes = 4 << 20 // of the values
)

// NewCheck returns a Check that leaves fields out which expire before fieldsFrom, in Unix
// milliseconds: one side may have lost them already.
func (t *Target) NewCheck(fieldsFrom int64, met func(i int64, key []byte, want, have Value) error) *Check {
	return &Check{s: t.Sender(func([][]byte, error) {}, nil), d: newDigester(fieldsFrom), Met: met}
}

// Key takes the key that r has come to, the one of number i.
func (c *Check) Key(i int64, r *rdb.Reader) error {
	key := append([]byte(nil), r.Key.Key...)
	want := Value{There: true, ExpireAt: r.Key.ExpireAt, Passing: Passing(r)}
	sum, err := c.d.value(r)
	if errors.Is(err, rdb.ErrEmpty) {
		return nil // as every server does that loads it
	}
	if err != nil {
		return err
	}
	want.Digest = sum
	c.batch = append(c.batch, checked{i, key, want})
	if c.bytes += c.d.bytes; len(c.batch) < checkKeys && c.bytes < checkBytes {
		return nil
	}
	return c.Flush()
}

// Flush asks for what was gathered.
func (c *Check) Flush() error {
	type asked struct{ at, dump chan answer }
	batch := c.batch
	c.batch, c.bytes = nil, 0
	waiting := make([]asked, len(batch))
	for i, k := range batch {
		waiting[i] = asked{make(chan answer, 1), make(chan answer, 1)}
		at, dump := c.requests(k.key)
		if err := c.s.send(at, waiting[i].at); err != nil {
			return err
		}
		if err := c.s.send(dump, waiting[i].dump); err != nil {
			return err
		}
	}
	for i, k := range batch {
		at, dump := <-waiting[i].at, <-waiting[i].dump
		var err error
		if at.err != nil || dump.err != nil { // once more, by itself
			toAt, toDump := c.requests(k.key)
			if at.reply, err = c.s.Call(toAt); err != nil {
				return fmt.Errorf("key %.64q: %w", k.key, err)
			}
			if dump.reply, err = c.s.Call(toDump); err != nil {
				return fmt.Errorf("key %.64q: %w", k.key, err)
			}
		}
		have := Value{There: !dump.reply.Null, ExpireAt: max(at.reply.Int, 0)}
		if have.There {
			r, err := rdb.NewPayloadReader(dump.reply.Text, rdb.ReaderOptions{MaxString: maxString})
			if err == nil {
				have.Digest, err = c.d.value(r)
			}
			if err != nil {
				return fmt.Errorf("key %.64q of the cluster: %w", k.key, err)
			}
		}
		if err := c.Met(k.i, k.key, k.want, have); err != nil {
			return err
		}
	}
	return nil
}

func (c *Check) requests(key []byte) (at, dump Op) {
	keys := [][]byte{key}
	return Op{Keys: keys, Args: [][]byte{word("PEXPIRETIME"), key}}, Op{Keys: keys, Args: [][]byte{word("DUMP"), key}}
}
