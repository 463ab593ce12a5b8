package migration

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/persist/rdb"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// A record of RW.STAGE PUT is a key, its meta and a value:
//
//	meta    "type form expireAt use"
//	form    of a string its encoding; of any other type the number of the value's kind in
//	        RDB, with a + behind it where the value goes on what the key has already
//	use     how long ago the key was used, i and seconds, or under an LFU policy how
//	        often, f and the counter
//	value   the string, or the body of the RDB value
//
// So a big value comes in many records, and none of them is long.

// cutter turns entries into records.
type cutter struct {
	nowMillis int64
	lfu       bool // the policy goes by counters

	pieces persist.Pieces
	meta   []byte
	digits []byte
}

// newCutter returns a cutter for what lies in ks now.
func newCutter(ks *engine.Keyspace) cutter {
	return cutter{nowMillis: clock.WallMillis(), lfu: ks.Eviction().Policy.LFU()}
}

// each calls f with the records of e. What f is given is good until it returns.
func (c *cutter) each(e *engine.Entry, f func(meta, value []byte) error) error {
	if e.Type == engine.TypeString {
		c.setMeta(e, e.Encoding.String())
		return f(c.meta, e.Value)
	}
	c.pieces.Bytes = putBytes
	c.pieces.Emit = func(k rdb.Kind, first bool, body []byte) error {
		c.digits = strconv.AppendUint(c.digits[:0], uint64(k), 10)
		if !first {
			c.digits = append(c.digits, '+')
		}
		c.setMeta(e, string(c.digits))
		return f(c.meta, body)
	}
	return c.pieces.Cut(e)
}

func (c *cutter) setMeta(e *engine.Entry, form string) {
	c.meta = append(append(c.meta[:0], e.Type.String()...), ' ')
	c.meta = append(append(c.meta, form...), ' ')
	c.meta = append(strconv.AppendInt(c.meta, e.ExpireAt, 10), ' ')
	if c.lfu {
		c.meta = strconv.AppendUint(append(c.meta, 'f'), uint64(uint8(e.LRU)), 10)
		return
	}
	c.meta = strconv.AppendInt(append(c.meta, 'i'), e.Idle(c.nowMillis)/1000, 10)
}

// goesOn reports whether a record's meta says that the key has been put before.
func goesOn(meta []byte) bool { return bytes.IndexByte(meta, '+') >= 0 }

// putter is what putting records takes; putters are pooled.
type putter struct {
	reader *rdb.Reader
	loader persist.Loader
}

var putters = sync.Pool{New: func() any {
	return &putter{reader: rdb.NewReader(nil, rdb.ReaderOptions{MaxString: 1 << 32, Partial: true}), loader: persist.Loader{Continue: true}}
}}

// putRecord sets one record.
func putRecord(db *engine.Access, slot slots.Slot, key, meta, value []byte) error {
	word := strings.Fields(string(meta))
	if len(word) != 4 {
		return resp.ErrSyntax
	}
	expireAt, err := strconv.ParseInt(word[2], 10, 64)
	if err != nil || expireAt < 0 {
		return resp.ErrSyntax
	}
	use, err := strconv.ParseInt(word[3][1:], 10, 64)
	if err != nil || use < 0 || word[3][0] != 'i' && word[3][0] != 'f' {
		return resp.ErrSyntax
	}
	switch {
	case word[0] != engine.TypeString.String():
		err = putValue(db, slot, key, word[1], expireAt, value)
	case word[1] == engine.EncRaw.String():
		err = db.SetRaw(slot, key, value, expireAt)
	default:
		err = db.SetString(slot, key, value, expireAt)
	}
	if err != nil {
		return err
	}
	if word[3][0] == 'f' {
		db.SetFreq(slot, key, uint8(min(use, 255)))
	} else {
		db.SetIdle(slot, key, use)
	}
	return nil
}

// putValue sets a value that is no string, or a part of one.
func putValue(db *engine.Access, slot slots.Slot, key []byte, form string, expireAt int64, value []byte) error {
	form, more := strings.CutSuffix(form, "+")
	kind, err := strconv.ParseUint(form, 10, 8)
	if err != nil || kind == 0 {
		return resp.ErrSyntax
	}
	if !more {
		db.Delete(slot, key)
	}
	p := putters.Get().(*putter)
	defer putters.Put(p)
	if err := p.reader.UseBody(rdb.Kind(kind), value); err != nil {
		return err
	}
	p.reader.Key.ExpireAt = expireAt
	p.loader.Access = *db
	return p.loader.LoadAs(p.reader, key)
}
