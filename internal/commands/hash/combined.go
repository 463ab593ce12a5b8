package hash

import (
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

// HGETDEL, HGETEX and HSETEX (Redis 8.0, https://redis.io/docs/latest/commands/hgetdel/,
// hgetex and hsetex; Valkey 9.0 adds NX and XX to HSETEX).

func hgetdel(c *command.Ctx) error {
	var h engine.Hash
	found, err := openRead(c, &h)
	if err != nil {
		return err
	}
	first, err := parseFields(c, 2, 1, errNumFields)
	if err != nil {
		return err
	}
	if slowFields(c, &h, c.Args[first:]) {
		return uncounted(c, found)
	}
	var x changes
	c.Out.Array(len(c.Args) - first)
	for _, field := range c.Args[first:] {
		value, _, ok := h.Get(field)
		if !ok {
			c.Out.Null()
			continue
		}
		c.Out.Bulk(value)
		h.Delete(field)
		x.deleted = append(x.deleted, field)
	}
	x.end(c, &h)
	return nil
}

// option is a set of the words of HGETEX and HSETEX.
type option uint16

const (
	optEX option = 1 << iota
	optPX
	optEXAT
	optPXAT
	optPersist
	optKeepTTL
	optFNX
	optFXX
	optNX
	optXX

	optTimes = optEX | optPX | optEXAT | optPXAT
)

var optionWords = [...]struct {
	word string
	bit  option
}{
	{"ex", optEX}, {"px", optPX}, {"exat", optEXAT}, {"pxat", optPXAT}, {"persist", optPersist},
	{"keepttl", optKeepTTL}, {"fnx", optFNX}, {"fxx", optFXX}, {"nx", optNX}, {"xx", optXX},
}

var (
	errOneGetTime   = resp.NewError("ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified")
	errOneSetTime   = resp.NewError("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified")
	errOneCondition = resp.NewError("ERR Only one of FXX or FNX arguments can be specified")
	errOneKeyState  = resp.NewError("ERR Only one of XX or NX arguments can be specified")
	errNoExpireTime = resp.NewError("ERR missing expire time")
)

const unknownOption = "ERR unknown argument: "

// options are the words of HGETEX or HSETEX, and the expiry that they name.
type options struct {
	seen  option
	at    int64 // Unix milliseconds, 0: none
	first int   // argument of the first field
}

// parseOptions reads the words from argument 2 on, those of may alone, and the fields
// behind them.
func parseOptions(c *command.Ctx, may option, width int) (o options, err error) {
	i := 2
	for ; i < len(c.Args) && !command.Is(c.Args[i], "fields"); i++ {
		bit := optionOf(c.Args[i]) & may
		if bit == 0 {
			return o, command.QuoteError(unknownOption, string(c.Args[i]))
		}
		if bit&(optTimes|optPersist|optKeepTTL) != 0 && o.seen&(optTimes|optPersist|optKeepTTL) != 0 {
			if may&optPersist != 0 {
				return o, errOneGetTime
			}
			return o, errOneSetTime
		}
		if bit&(optFNX|optFXX) != 0 && o.seen&(optFNX|optFXX) != 0 {
			return o, errOneCondition
		}
		if bit&(optNX|optXX) != 0 && o.seen&(optNX|optXX) != 0 {
			return o, errOneKeyState
		}
		o.seen |= bit
		if bit&optTimes != 0 {
			if i++; i == len(c.Args) {
				return o, errNoExpireTime
			}
			if o.at, err = parseTime(c, bit, i); err != nil {
				return o, err
			}
		}
	}
	o.first, err = parseFields(c, i, width, errNumFields)
	return o, err
}

func optionOf(word []byte) option {
	for i := range optionWords {
		if command.Is(word, optionWords[i].word) {
			return optionWords[i].bit
		}
	}
	return 0
}

// parseTime reads the time at argument i that the word bit announces.
func parseTime(c *command.Ctx, bit option, i int) (at int64, err error) {
	t, err := c.Int(i)
	if err != nil {
		return 0, err
	}
	base, unit := int64(0), int64(1)
	if bit&(optEX|optPX) != 0 {
		base = c.Now()
	}
	if bit&(optEX|optEXAT) != 0 {
		unit = 1000
	}
	if t <= 0 {
		return 0, resp.InvalidExpire(c.Spec.FullName())
	}
	return expiryOf(c, t, base, unit)
}

func hgetex(c *command.Ctx) error {
	var h engine.Hash
	found, err := openRead(c, &h)
	if err != nil {
		return err
	}
	o, err := parseOptions(c, optTimes|optPersist, 1)
	if err != nil {
		return err
	}
	if slowFields(c, &h, c.Args[o.first:]) {
		return uncounted(c, found)
	}
	begin := len(c.Out.Buf)
	x := changes{at: o.at}
	c.Out.Array(len(c.Args) - o.first)
	for _, field := range c.Args[o.first:] {
		value, have, ok := h.Get(field)
		if !ok {
			c.Out.Null()
			continue
		}
		c.Out.Bulk(value)
		switch {
		case o.at != 0:
			_, err = x.expire(c, &h, field)
		case o.seen&optPersist != 0 && have != 0:
			if _, err = h.SetFieldExpireAt(field, 0); err == nil {
				x.persisted = append(x.persisted, field)
			}
		}
		if err != nil {
			return x.fail(c, &h, begin, err)
		}
	}
	x.end(c, &h)
	return nil
}

func hsetex(c *command.Ctx) error {
	var h engine.Hash
	found, err := openWrite(c, &h)
	if err != nil {
		return err
	}
	o, err := parseOptions(c, optTimes|optKeepTTL|optFNX|optFXX|optNX|optXX, 2)
	if err != nil {
		return err
	}
	pairs := c.Args[o.first:]
	if c.Slow(len(pairs)/2, bytesFrom(c, o.first)) {
		return command.ErrSlow
	}
	if o.seen&optNX != 0 && found || o.seen&optXX != 0 && !found || !o.allows(&h, pairs) {
		c.Out.Int(0)
		return nil
	}
	if o.at != 0 && o.at <= c.Now() && !c.Applying {
		var x changes
		for i := 0; i < len(pairs) && h.Exists(); i += 2 {
			if h.Delete(pairs[i]) {
				x.deleted = append(x.deleted, pairs[i])
			}
		}
		x.end(c, &h)
		c.Out.Int(1)
		return nil
	}
	at := o.at
	if o.seen&optKeepTTL != 0 {
		at = engine.KeepTTL
	}
	stored := 0
	for ; stored < len(pairs) && err == nil; stored += 2 {
		_, err = h.Put(pairs[stored], pairs[stored+1], at)
	}
	if err != nil {
		stored -= 2 // the last one was not
	}
	if stored > 0 {
		if o.seen&optKeepTTL != 0 && !anyExpires(&h, pairs[:stored]) {
			o.seen &^= optKeepTTL // there was none to keep: older servers know HSET alone
		}
		o.stage(c, pairs[:stored])
	}
	if err != nil {
		c.TouchIn(c.DB.DB(), 1)
		return err
	}
	c.Notify(command.NotifyHash, "hset", 1)
	if o.at != 0 {
		c.Notify(command.NotifyHash, "hexpire", 1)
	}
	c.Out.Int(1)
	return nil
}

// anyExpires reports whether a field of the pairs has an expiry.
func anyExpires(h *engine.Hash, pairs [][]byte) bool {
	for i := 0; i < len(pairs); i += 2 {
		if _, at, _ := h.Get(pairs[i]); at != 0 {
			return true
		}
	}
	return false
}

// allows reports whether FNX or FXX lets the pairs be set.
func (o *options) allows(h *engine.Hash, pairs [][]byte) bool {
	if o.seen&(optFNX|optFXX) == 0 {
		return true
	}
	for i := 0; i < len(pairs); i += 2 {
		if _, _, ok := h.Get(pairs[i]); ok != (o.seen&optFXX != 0) {
			return false
		}
	}
	return true
}

// stage propagates what was set: as HSET, or as HSETEX with the time in full.
func (o *options) stage(c *command.Ctx, pairs [][]byte) {
	c.Changed(len(pairs) / 2)
	args := make([][]byte, 0, 6+len(pairs))
	var digits [20]byte
	switch {
	case o.at != 0:
		args = append(args, wordHSetEx, c.Args[1], wordPXAT, strconv.AppendInt(digits[:0], o.at, 10))
	case o.seen&optKeepTTL != 0:
		args = append(args, wordHSetEx, c.Args[1], wordKeepTTL)
	default:
		c.Effect(c.Slot(1), append(append(args, wordHSet, c.Args[1]), pairs...)...)
		return
	}
	args = append(args, wordFields, strconv.AppendInt(nil, int64(len(pairs)/2), 10))
	c.Effect(c.Slot(1), append(args, pairs...)...)
}
