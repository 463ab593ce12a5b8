package hash

import (
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errNoFields   = resp.NewError("ERR Mandatory argument FIELDS is missing or not at the right position")
	errFieldCount = resp.NewError("ERR The `numfields` parameter must match the number of arguments")
	errNumFields  = resp.NewError("ERR Number of fields must be a positive integer")
	errExpireNums = resp.NewError("ERR Parameter `numFields` should be greater than 0")
)

// parseFields reads FIELDS, a number and as many groups of width arguments, from
// argument i to the end, and returns the place of the first group. notPositive is the
// error of a bad number (Redis 7.4, t_hash.c, and 8.0).
func parseFields(c *command.Ctx, i, width int, notPositive error) (first int, err error) {
	if i+1 >= len(c.Args) || !command.Is(c.Args[i], "fields") {
		return 0, errNoFields
	}
	n, ok := command.ParseInt(c.Args[i+1])
	if !ok || n < 1 {
		return 0, notPositive
	}
	first = i + 2
	if n > int64(len(c.Args)) || int(n)*width != len(c.Args)-first {
		return 0, errFieldCount
	}
	return first, nil
}

// changes gathers what a command has done to fields, to be propagated as it was done.
type changes struct {
	set, persisted, deleted [][]byte // fields
	at                      int64    // the expiry of those set
}

// expire gives a field, which is there, the expiry at, or deletes it if that has passed:
// in a stream it is stored as it stands, since the stream's own deletion follows.
func (x *changes) expire(c *command.Ctx, h *engine.Hash, field []byte) (deleted bool, err error) {
	if x.at <= c.Now() && !c.Applying {
		h.Delete(field)
		x.deleted = append(x.deleted, field)
		return true, nil
	}
	if _, err := h.SetFieldExpireAt(field, x.at); err != nil {
		return false, err
	}
	x.set = append(x.set, field)
	return false, nil
}

// end stages the effects and tells the events of what was done.
func (x *changes) end(c *command.Ctx, h *engine.Hash) {
	if len(x.set) > 0 {
		var digits [20]byte
		x.stage(c, x.set, wordHPExpireA, strconv.AppendInt(digits[:0], x.at, 10))
		c.Notify(command.NotifyHash, "hexpire", 1)
	}
	if len(x.persisted) > 0 {
		x.stage(c, x.persisted, wordHPersist, nil)
		c.Notify(command.NotifyHash, "hpersist", 1)
	}
	if len(x.deleted) > 0 {
		c.Changed(len(x.deleted))
		c.Effect(c.Slot(1), append([][]byte{wordHDel, c.Args[1]}, x.deleted...)...)
		c.Notify(command.NotifyHash, "hdel", 1)
		gone(c, h)
	}
}

// fail takes the reply that begins at begin back and ends with err: what was done before
// stays, so it is propagated.
func (x *changes) fail(c *command.Ctx, h *engine.Hash, begin int, err error) error {
	c.Out.Buf = c.Out.Buf[:begin]
	x.end(c, h)
	c.TouchIn(c.DB.DB(), 1)
	return err
}

// stage propagates word key [arg] FIELDS n fields.
func (x *changes) stage(c *command.Ctx, fields [][]byte, word, arg []byte) {
	args := make([][]byte, 0, 5+len(fields))
	args = append(args, word, c.Args[1])
	if arg != nil {
		args = append(args, arg)
	}
	args = append(args, wordFields, strconv.AppendInt(nil, int64(len(fields)), 10))
	c.Changed(len(fields))
	c.Effect(c.Slot(1), append(args, fields...)...)
}
