package admin

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/double"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/slots"
)

// digest is the signature of data by which DEBUG DIGEST compares servers: parts without
// an order are joined by xor, parts with one by hashing what is there with each next one
// (Redis 7.2, debug.c, xorDigest and mixDigest). Equal data have equal digests here and
// in Redis, however they are kept.
type digest [sha1.Size]byte

func (d *digest) xor(b []byte) {
	sum := sha1.Sum(b)
	for i := range d {
		d[i] ^= sum[i]
	}
}

func (d *digest) mix(b []byte) {
	d.xor(b)
	*d = sha1.Sum(d[:])
}

func (d *digest) mixNumber(n uint32) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	d.mix(b[:])
}

func (d *digest) String() string { return hex.EncodeToString(d[:]) }

// addValue adds a value: its type, what is in it, and that it has an expiry, not which.
func (d *digest) addValue(e *engine.Entry) error {
	d.mixNumber(uint32(e.Type))
	if err := d.addContent(e); err != nil {
		return err
	}
	if e.ExpireAt != 0 {
		d.xor([]byte("!!expire!!"))
	}
	return nil
}

func (d *digest) addContent(e *engine.Entry) error {
	switch e.Type {
	case engine.TypeString:
		d.mix(e.Value)
		return nil
	case engine.TypeList:
		return e.EachElement(func(elem []byte) error {
			d.mix(elem)
			return nil
		})
	case engine.TypeSet:
		return e.EachMember(func(member []byte) error {
			d.xor(member)
			return nil
		})
	case engine.TypeHash:
		return e.EachField(func(field, value []byte, _ int64) error {
			var pair digest
			pair.mix(field)
			pair.mix(value)
			d.xor(pair[:])
			return nil
		})
	case engine.TypeZSet:
		return e.EachScored(func(member []byte, score float64) error {
			var pair digest
			pair.mix(member)
			var text [double.MaxBytes]byte
			pair.mix(double.Append17(text[:0], score))
			d.xor(pair[:])
			return nil
		})
	case engine.TypeStream:
		return e.Stream().EachNode(func(master stream.ID, lp []byte) error {
			return stream.EachEntry(master, lp, d.mixEntry)
		})
	}
	return fmt.Errorf("no digest of a %v", e.Type)
}

// mixEntry adds an entry of a stream; Redis leaves consumer groups out.
func (d *digest) mixEntry(e *stream.Entry) error {
	d.mix(fmt.Appendf(nil, "%d.%d", e.ID.Ms, e.ID.Seq))
	var a, b [20]byte
	for range e.Fields {
		name, value := e.Field(a[:0], b[:0])
		d.mix(name)
		d.mix(value)
	}
	return nil
}

// debugDigest replies with the digest of all databases, in hexadecimal. It owns every
// data shard: what it tells is true of one instant.
func (d *Deps) debugDigest(c *command.Ctx) error {
	all := d.Keyspace.AllShards()
	d.Keyspace.Own(all)
	defer d.Keyspace.Disown(all)
	var sum digest
	var batch engine.Batch
	for db := range d.Keyspace.Databases() {
		a := d.Keyspace.Access(db, c.Now(), engine.ModeReplica) // expired keys stay where they are
		keys := allKeys(&a)
		if len(keys) == 0 {
			continue
		}
		sum.mixNumber(uint32(db))
		for _, key := range keys {
			e, ok := a.Entry(slots.Of(key), key, &batch)
			if !ok {
				continue
			}
			var one digest
			one.mix(key)
			if err := one.addValue(&e); err != nil {
				return err
			}
			sum.xor(one[:])
		}
	}
	c.Out.Simple(sum.String())
	return nil
}

// allKeys returns copies of all keys. REQUIRES: all shards.
func allKeys(a *engine.Access) (keys [][]byte) {
	visit := func(key []byte, _ engine.Record) { keys = append(keys, bytes.Clone(key)) }
	for cursor := a.Scan(0, visit); cursor != 0; {
		cursor = a.Scan(cursor, visit)
	}
	// A scan may give a key twice, which xor would take away again.
	slices.SortFunc(keys, bytes.Compare)
	return slices.CompactFunc(keys, bytes.Equal)
}

// debugDigestValue replies with the digest of each key's value, zeros for absent ones.
func (d *Deps) debugDigestValue(c *command.Ctx) error {
	var replies []string
	var batch engine.Batch
	for _, key := range c.Args[2:] {
		var one digest
		slot := slots.Of(key)
		mask := d.Keyspace.Mask(slot)
		d.Keyspace.Lock(mask)
		e, ok := c.DB.Entry(slot, key, &batch)
		var err error
		if ok {
			err = one.addValue(&e)
		}
		d.Keyspace.Unlock(mask)
		if err != nil {
			return err
		}
		replies = append(replies, one.String())
	}
	c.Out.Array(len(replies))
	for _, r := range replies {
		c.Out.Simple(r)
	}
	return nil
}
