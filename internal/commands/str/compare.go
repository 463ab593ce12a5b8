package str

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine/bulk"
	"github.com/redwingdb/redwing/internal/resp"
)

var errDigest = resp.NewError("ERR must be exactly 16 hexadecimal characters")

// comparison returns the option of a word that compares the string with another or with
// a digest, 0 for any other word.
func comparison(word []byte) option {
	switch {
	case command.Is(word, "ifeq"):
		return optIFEQ
	case command.Is(word, "ifne"):
		return optIFNE
	case command.Is(word, "ifdeq"):
		return optIFDEQ
	case command.Is(word, "ifdne"):
		return optIFDNE
	}
	return 0
}

// compares reports whether the comparison of o holds of the string at argument 1. Of a
// key that is not there only the two that ask for a difference hold. REQUIRES: o.match.
func (o options) compares(c *command.Ctx) (bool, error) {
	want := c.Args[o.match]
	byDigest := o.seen&(optIFDEQ|optIFDNE) != 0
	var sum uint64
	if byDigest {
		var ok bool
		if sum, ok = parseDigest(want); !ok {
			return false, errDigest
		}
	}
	r, found := c.DB.Find(c.Slot(1), c.Args[1])
	equal := false
	if found {
		if err := isString(r, true); err != nil {
			return false, err
		}
		if (byDigest || r.Len() == len(want)) && c.Slow(1, r.Len()) {
			return false, command.ErrSlow
		}
		var digits [20]byte
		if v := r.Bytes(digits[:0]); byDigest {
			equal = digest64(v) == sum
		} else {
			equal = bulk.Equal(v, want)
		}
	}
	return equal == (o.seen&(optIFEQ|optIFDEQ) != 0), nil
}

// parseDigest reads what appendDigest writes, in any letter case.
func parseDigest(b []byte) (v uint64, ok bool) {
	if len(b) != digestHex {
		return 0, false
	}
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		v = v<<4 | uint64(c)
	}
	return v, true
}

// digest replies with the hash by which IFDEQ and IFDNE compare (redis.io, DIGEST).
func digest(c *command.Ctx) error {
	r, found := c.Read(1)
	if err := isString(r, found); err != nil {
		return err
	}
	if !found {
		c.Out.Null()
		return nil
	}
	if c.Slow(1, r.Len()) {
		c.Hits--
		return command.ErrSlow
	}
	var digits [20]byte
	var text [digestHex]byte
	c.Out.Bulk(appendDigest(text[:0], r.Bytes(digits[:0])))
	return nil
}

// delex deletes the key at argument 1, of any type, or with a comparison only a string
// for which that holds (redis.io, DELEX).
func delex(c *command.Ctx) error {
	switch len(c.Args) {
	case 2:
		return deleteKey(c)
	case 4:
	default:
		return resp.WrongArity(c.Spec.FullName())
	}
	o := options{seen: comparison(c.Args[2]), match: 3}
	if o.seen == 0 {
		return resp.ErrSyntax
	}
	return deleteIf(c, o)
}

// delexKeyFlags tells that DELEX without a comparison does not look at the value.
func delexKeyFlags(args [][]byte) command.KeyFlags {
	if len(args) > 2 {
		return command.KeyRW | command.KeyDelete
	}
	return command.KeyRM | command.KeyDelete
}

// delifeq is DELEX IFEQ as Valkey 9 spells it (valkey.io, DELIFEQ).
func delifeq(c *command.Ctx) error { return deleteIf(c, options{seen: optIFEQ, match: 2}) }

// deleteIf leaves a key that is not there alone, though a comparison may hold of it.
func deleteIf(c *command.Ctx, o options) error {
	holds, err := o.compares(c)
	if err != nil {
		return err
	}
	if !holds {
		c.Out.Int(0)
		return nil
	}
	return deleteKey(c)
}

func deleteKey(c *command.Ctx) error {
	slot, key := c.Slot(1), c.Args[1]
	if !c.DB.Delete(slot, key) {
		c.Out.Int(0)
		return nil
	}
	c.Changed(1)
	c.Notify(command.NotifyGeneric, "del", 1)
	c.Effect(slot, wordDel, key)
	c.Out.Int(1)
	return nil
}
