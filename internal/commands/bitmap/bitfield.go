package bitmap

import (
	"bytes"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errFieldType    = resp.NewError("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
	errOverflowType = resp.NewError("ERR Invalid OVERFLOW type specified")
	errFieldRO      = resp.NewError("ERR BITFIELD_RO only supports the GET subcommand")
)

// action is one GET, SET or INCRBY of a request.
type action struct {
	kind     actionKind
	field    field
	operand  int64
	overflow overflow
}

type actionKind uint8

const (
	fieldGet actionKind = iota
	fieldSet
	fieldIncr
)

// actions reads the actions of a request one by one. They are read twice, first to
// check them all and then to run them, so that nothing has to be kept.
type actions struct {
	c        *command.Ctx
	next     int // argument
	overflow overflow
}

// read returns the next action; ok is false at the end.
func (s *actions) read() (a action, ok bool, err error) {
	for args := s.c.Args; s.next < len(args); {
		i, left := s.next, len(args)-s.next-1
		switch word := args[i]; {
		case command.Is(word, "get") && left >= 2:
			a.kind = fieldGet
		case command.Is(word, "set") && left >= 3:
			a.kind = fieldSet
		case command.Is(word, "incrby") && left >= 3:
			a.kind = fieldIncr
		case command.Is(word, "overflow") && left >= 1:
			if s.overflow, ok = parseOverflow(args[i+1]); !ok {
				return a, false, errOverflowType
			}
			s.next += 2
			continue
		default:
			return a, false, resp.ErrSyntax
		}
		return s.readField(a, i)
	}
	return a, false, nil
}

// readField reads the type, offset and operand behind the word at argument i.
func (s *actions) readField(a action, i int) (_ action, ok bool, err error) {
	a.overflow = s.overflow
	if a.field, ok = parseField(s.c.Args[i+1]); !ok {
		return a, false, errFieldType
	}
	if a.field.off, err = parseOffset(s.c, s.c.Args[i+2], a.field.width); err != nil {
		return a, false, err
	}
	s.next = i + 3
	if a.kind != fieldGet {
		s.next++
		if a.operand, err = s.c.Int(i + 3); err != nil {
			return a, false, err
		}
	}
	return a, true, nil
}

func parseOverflow(word []byte) (overflow, bool) {
	switch {
	case command.Is(word, "wrap"):
		return wrap, true
	case command.Is(word, "sat"):
		return saturate, true
	case command.Is(word, "fail"):
		return fail, true
	}
	return 0, false
}

// parseField reads i1 to i64 and u1 to u63, up to a NUL as C does.
func parseField(b []byte) (f field, ok bool) {
	if len(b) == 0 || b[0] != 'i' && b[0] != 'u' {
		return f, false
	}
	f.signed = b[0] == 'i'
	digits, _, _ := bytes.Cut(b[1:], []byte{0})
	v, ok := command.ParseInt(digits)
	if !ok || v < 1 || v > 64 || v == 64 && !f.signed {
		return f, false
	}
	f.width = int(v)
	return f, true
}

// fieldKeyFlags tells that a BITFIELD of GETs alone only reads (Redis 7.2, db.c,
// bitfieldGetKeys). What cannot be read counts as writing.
func fieldKeyFlags(args [][]byte) command.KeyFlags {
	for i := 2; i < len(args); {
		switch left := len(args) - i - 1; {
		case command.Is(args[i], "get") && left >= 2:
			i += 3
		case command.Is(args[i], "overflow") && left >= 1:
			i += 2
		default:
			return command.KeyRW | command.KeyAccess | command.KeyUpdate
		}
	}
	return command.KeyRO | command.KeyAccess
}

func bitfield(c *command.Ctx) error   { return runFields(c, false) }
func bitfieldRO(c *command.Ctx) error { return runFields(c, true) }

func runFields(c *command.Ctx, readOnly bool) error {
	count, need := 0, 0 // need: bytes up to the last field that is written
	for s := (actions{c: c, next: 2}); ; count++ {
		a, ok, err := s.read()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if a.kind != fieldGet {
			need = max(need, a.field.end())
		}
	}
	if c.Slow(count, 0) {
		return command.ErrSlow
	}
	if need == 0 {
		return getFields(c, count)
	}
	if readOnly {
		return errFieldRO
	}
	return setFields(c, count, need)
}

func getFields(c *command.Ctx, count int) error {
	r, found := c.Read(1)
	if err := isString(r, found); err != nil {
		return err
	}
	var digits [20]byte
	var v []byte
	if found {
		v = r.Bytes(digits[:0])
	}
	c.Out.Array(count)
	s := actions{c: c, next: 2}
	for range count {
		a, _, _ := s.read()
		c.Out.Int(a.field.load(v))
	}
	return nil
}

// setFields first makes the string long enough for every field, be it written in the
// end or not, as Redis does.
func setFields(c *command.Ctx, count, need int) error {
	var e engine.StringEdit
	r, found := c.DB.OpenEdit(&e, c.Slot(1), c.Args[1])
	if err := isString(r, found); err != nil {
		return err
	}
	if c.Slow(0, e.GrowCost(need)) {
		return command.ErrSlow
	}
	grown := !found || r.Len() < need
	v, err := e.Grow(need)
	if err != nil {
		return err
	}
	c.Out.Array(count)
	s, changes := actions{c: c, next: 2}, 0
	for range count {
		a, _, _ := s.read()
		old := a.field.load(v)
		if a.kind == fieldGet {
			c.Out.Int(old)
			continue
		}
		x, by := a.operand, int64(0)
		if a.kind == fieldIncr {
			x, by = old, a.operand
		}
		x, ok := a.field.fit(x, by, a.overflow)
		switch {
		case !ok:
			c.Out.Null()
			continue
		case a.kind == fieldSet:
			c.Out.Int(old)
		default:
			c.Out.Int(x)
		}
		a.field.store(v, x)
		if x != old {
			changes++
		}
	}
	if grown { // though every field may have refused: replicas shall have the same string
		changes = max(changes, 1)
	}
	if changes > 0 {
		c.Changed(changes)
		c.Notify(command.NotifyString, "setbit", 1)
	}
	return nil
}
