package transfer

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// shiftMillis is added to the expiry of keys and of fields while a source is followed, so
// that none expires in the cluster before the source has said so: a write on its way may have put
// its end off, or build on what is there. A hundred years.
const shiftMillis = int64(100 * 365.25 * 24 * 3600 * 1000)

// shiftedFrom is from where on, in Unix milliseconds, an expiry is taken for a shifted one.
func shiftedFrom(nowMillis int64) int64 { return nowMillis + shiftMillis/2 }

// fieldMax is the latest expiry that a field may have, in Unix milliseconds (Redis 7.4,
// EB_EXPIRE_TIME_MAX).
const fieldMax = 1<<48 - 2

// Expiries decides what expiry a key or a field gets in the cluster. It begins with all of
// them shifted. From Settle on those far enough ahead are as at the source; the keys that
// still get a shifted one are remembered, to be put right at the end. Which hashes have
// shifted fields is remembered from the beginning: a cluster cannot be asked for them. It
// belongs to one flow.
type Expiries struct {
	exactFrom  int64 // Unix milliseconds; 0: none are exact
	near       map[string]struct{}
	nearFields map[string]struct{} // hashes
	fields     *keyLog             // hashes, before Settle
	dir        string              // of temporary files
}

// Settle says that expiries at or behind at, in Unix milliseconds, are to be exact from
// now on. What was shifted before is for Unshifter to find.
func (e *Expiries) Settle(at int64) {
	e.exactFrom, e.near, e.nearFields = at, map[string]struct{}{}, map[string]struct{}{}
}

// begin forgets all that was before.
func (e *Expiries) begin() {
	if e.fields != nil {
		e.fields.close()
	}
	*e = Expiries{dir: e.dir}
}

// takeFields returns the hashes that may have got shifted fields and were not taken yet, be
// it since an earlier Settle; nil: there are none.
func (e *Expiries) takeFields() *keyLog {
	for _, key := range e.TakeNearFields() {
		e.logFields([]byte(key))
	}
	l := e.fields
	e.fields = nil
	return l
}

// Of returns the expiry that key gets for at, Unix milliseconds; 0 is none.
func (e *Expiries) Of(key []byte, at int64) int64 {
	if at == 0 || at > math.MaxInt64-shiftMillis || e.exactFrom != 0 && at >= e.exactFrom {
		return at
	}
	e.Remember(key)
	return at + shiftMillis
}

// OfField is Of for the expiry of a field of a hash.
func (e *Expiries) OfField(key []byte, at int64) int64 {
	if at == 0 || at > fieldMax-shiftMillis || e.exactFrom != 0 && at >= e.exactFrom {
		return at
	}
	e.rememberFields(key)
	return at + shiftMillis
}

// rememberFields says that fields of key may have got a shifted expiry.
func (e *Expiries) rememberFields(key []byte) {
	if e.exactFrom != 0 {
		e.nearFields[string(key)] = struct{}{}
		return
	}
	e.logFields(key)
}

func (e *Expiries) logFields(key []byte) {
	if e.fields == nil {
		e.fields = &keyLog{dir: e.dir, thinAt: keyLogGrowth}
	}
	e.fields.add(key)
}

// Remember says that key may have got a shifted expiry.
func (e *Expiries) Remember(key []byte) {
	if e.exactFrom != 0 {
		e.near[string(key)] = struct{}{}
	}
}

// TakeNear returns the keys that may have got a shifted expiry since Settle, or since the
// last call.
func (e *Expiries) TakeNear() []string { return take(e.near) }

// TakeNearFields is TakeNear for the hashes whose fields may have got one.
func (e *Expiries) TakeNearFields() []string { return take(e.nearFields) }

func take(set map[string]struct{}) []string {
	out := slices.Collect(maps.Keys(set))
	clear(set)
	return out
}

// expiry is the one that a request gives its key, or fields of it.
type expiry struct {
	arg      int // which argument; 0: the request gives none
	fields   bool
	seconds  bool
	relative bool // to when it ran, or under a condition: what came of it is not known here
}

// expiryIn finds the expiry in a write of a stream.
func expiryIn(name string, args [][]byte) expiry {
	switch name {
	case "pexpireat", "expireat":
		return expiry{arg: 2, seconds: name == "expireat", relative: len(args) > 3}
	case "pexpire", "psetex", "expire", "setex":
		return expiry{arg: 2, relative: true}
	case "restore", "restore-asking":
		if len(args) > 3 && expiringFields(args[3]) {
			return expiry{arg: 2, relative: true}
		}
		for i := 4; i < len(args); i++ {
			if command.Is(args[i], "absttl") {
				return expiry{arg: 2}
			}
		}
		return expiry{arg: 2, relative: len(args) > 2 && string(args[2]) != "0"}
	case "hpexpireat", "hexpireat":
		return expiry{arg: 2, fields: true, seconds: name == "hexpireat", relative: len(args) < 4 || !command.Is(args[3], "fields")}
	case "hpexpire", "hexpire":
		return expiry{arg: 2, fields: true, relative: true}
	case "hsetex", "hgetex":
		x := optionIn(beforeFields(args), 2)
		x.fields = true
		return x
	case "set":
		return optionIn(args, 3)
	case "getex":
		return optionIn(args, 2)
	}
	return expiry{}
}

// expiringFields reports whether a payload of DUMP may have expiries of fields.
func expiringFields(payload []byte) bool {
	return len(payload) > 0 && fieldsExpire(rdb.Kind(payload[0]))
}

// fieldsExpire reports whether fields of a value of kind k may have expiries.
func fieldsExpire(k rdb.Kind) bool { return k >= rdb.KindHashTTLPre && k <= rdb.KindHashTTLPack }

// beforeFields returns what comes before the word FIELDS.
func beforeFields(args [][]byte) [][]byte {
	for i := 2; i < len(args); i++ {
		if command.Is(args[i], "fields") {
			return args[:i]
		}
	}
	return args
}

// optionIn looks for EX, PX, EXAT or PXAT from an argument on.
func optionIn(args [][]byte, from int) expiry {
	for i := from; i+1 < len(args); i++ {
		switch {
		case command.Is(args[i], "pxat"):
			return expiry{arg: i + 1}
		case command.Is(args[i], "exat"):
			return expiry{arg: i + 1, seconds: true}
		case command.Is(args[i], "px"), command.Is(args[i], "ex"):
			return expiry{arg: i + 1, relative: true}
		}
	}
	return expiry{}
}

// moved returns args with the expiry that the key gets in the cluster; false if it is no
// number.
func (x expiry) moved(e *Expiries, args [][]byte) ([][]byte, bool) {
	n, err := strconv.ParseInt(string(args[x.arg]), 10, 64)
	if err != nil {
		return args, false
	}
	unit := int64(1)
	if x.seconds {
		unit = 1000
	}
	if n > math.MaxInt64/unit {
		return args, false
	}
	of := e.Of
	if x.fields {
		of = e.OfField
	}
	at := of(args[1], n*unit) / unit
	if at == n {
		return args, true
	}
	out := append([][]byte(nil), args...)
	out[x.arg] = strconv.AppendInt(nil, at, 10)
	return out, true
}

// inherits reports whether the last of a command's keys gets the expiry of another.
func inherits(name string) bool {
	return name == "rename" || name == "renamenx" || name == "copy"
}

// remember notes the keys of a request that may get a shifted expiry from another.
func (e *Expiries) remember(name string, keys [][]byte) {
	if inherits(name) {
		e.Remember(keys[len(keys)-1])
		e.rememberFields(keys[len(keys)-1])
	}
}
