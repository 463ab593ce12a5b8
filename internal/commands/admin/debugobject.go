package admin

import (
	"fmt"
	"os"
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/listpack"
	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// payloadFrame is what a payload of DUMP has around the value: a byte for its kind, two
// for the version, eight for the checksum.
const payloadFrame = 1 + 2 + 8

// debugObject replies with what is known of a value's form, in the words of Redis. The
// access clock stays as it is.
func (d *Deps) debugObject(c *command.Ctx) error {
	return d.withEntry(c, func(e *engine.Entry) error {
		now := c.Now()
		idle := e.Idle(now) / 1000
		// There is no address to tell: values move.
		text := "Value at:0x0 refcount:1 encoding:" + e.Encoding.String() +
			" serializedlength:" + strconv.Itoa(len(persist.Dump(nil, e, true))-payloadFrame) +
			" lru:" + strconv.FormatInt((now/1000-idle)&lruMask, 10) +
			" lru_seconds_idle:" + strconv.FormatInt(idle, 10)
		if e.Encoding == engine.EncQuicklist {
			text += quicklistText(e, d.Keyspace.Limits())
		}
		c.Out.Simple(text)
		return nil
	})
}

// withEntry calls f with the key at argument 2 under the lock of its shard.
func (d *Deps) withEntry(c *command.Ctx, f func(e *engine.Entry) error) error {
	key := c.Args[2]
	slot := slots.Of(key)
	mask := d.Keyspace.Mask(slot)
	d.Keyspace.Lock(mask)
	defer d.Keyspace.Unlock(mask)
	var batch engine.Batch
	e, ok := c.DB.Entry(slot, key, &batch)
	if !ok {
		return resp.ErrNoSuchKey
	}
	return f(&e)
}

// quicklistText tells of the nodes of a long list.
func quicklistText(e *engine.Entry, l *engine.Limits) string {
	nodes, elements, size := 0, 0, 0
	_ = e.EachNode(func(node []byte, plain bool) error {
		nodes++
		size += len(node)
		if plain {
			elements++
		} else {
			elements += listpack.Len(node)
		}
		return nil
	})
	compressed := 0
	if l.ListCompress != 0 {
		compressed = 1
	}
	return fmt.Sprintf(" ql_nodes:%d ql_avg_node:%.2f ql_listpack_max:%d ql_compressed:%d ql_uncompressed_size:%d",
		nodes, float64(elements)/float64(max(nodes, 1)), l.ListSize, compressed, size)
}

var errNoListpack = resp.NewError("ERR Not a listpack encoded object.")

// debugListpack prints the elements of a packed value to the standard output, as Redis
// does.
func (d *Deps) debugListpack(c *command.Ctx) error {
	return d.withEntry(c, func(e *engine.Entry) error {
		if e.Encoding != engine.EncListpack {
			return errNoListpack
		}
		lp := e.Value
		fmt.Fprintf(os.Stdout, "{total bytes %d} {num entries %d}\n", len(lp), listpack.Len(lp))
		var digits [20]byte
		i := 0
		for off := listpack.First(lp); off >= 0; off = listpack.Next(lp, off) {
			fmt.Fprintf(os.Stdout, "{\n\toffset: %d, entry index: %d, %q\n}\n", off, i, listpack.Get(lp, off, digits[:0]))
			i++
		}
		c.Out.Simple("Listpack structure printed on stdout")
		return nil
	})
}

// packedThresholdMax bounds DEBUG QUICKLIST-PACKED-THRESHOLD (Redis 7.2, quicklist.c,
// quicklistisSetPackedThreshold).
const packedThresholdMax = 1<<32 - 1<<20

var errPackedThreshold = resp.NewError("ERR argument must be a memory value bigger than 1 and smaller than 4gb")

// debugPackedThreshold sets from how many bytes on an element of a list is a node alone;
// 0 sets the default again.
func (d *Deps) debugPackedThreshold(c *command.Ctx) error {
	n, ok := config.ParseBytes(string(c.Args[2]))
	if !ok || n < 0 || n > packedThresholdMax {
		return errPackedThreshold
	}
	l := *d.Keyspace.Limits()
	l.ListPlain = int(n)
	d.Keyspace.SetLimits(l)
	c.Out.OK()
	return nil
}
