package str

import (
	"math"
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// option is a set of the words behind SET and GETEX.
type option uint16

const (
	optNX option = 1 << iota
	optXX
	optGet
	optKeepTTL
	optPersist
	optEX
	optPX
	optEXAT
	optPXAT
	optIFEQ
	optIFNE
	optIFDEQ
	optIFDNE

	optTimes      = optEX | optPX | optEXAT | optPXAT
	optComparison = optIFEQ | optIFNE | optIFDEQ | optIFDNE
	optConditions = optNX | optXX | optComparison
)

// optionWords says which words may not stand before a word. A time may be given
// twice by the same word; the last one counts (Redis 7.2, t_string.c,
// parseExtendedStringArgumentsOrReply). IFEQ to IFDNE are of Redis 8.4 (redis.io, SET),
// IFEQ of Valkey 8.1 too.
var optionWords = [...]struct {
	word     string
	bit      option
	excludes option
}{
	{"nx", optNX, optConditions &^ optNX},
	{"xx", optXX, optConditions &^ optXX},
	{"ifeq", optIFEQ, optConditions},
	{"ifne", optIFNE, optConditions},
	{"ifdeq", optIFDEQ, optConditions},
	{"ifdne", optIFDNE, optConditions},
	{"get", optGet, 0},
	{"keepttl", optKeepTTL, optPersist | optTimes},
	{"persist", optPersist, optKeepTTL | optTimes},
	{"ex", optEX, optKeepTTL | optPersist | optTimes&^optEX},
	{"px", optPX, optKeepTTL | optPersist | optTimes&^optPX},
	{"exat", optEXAT, optKeepTTL | optPersist | optTimes&^optEXAT},
	{"pxat", optPXAT, optKeepTTL | optPersist | optTimes&^optPXAT},
}

// options are the parsed words.
type options struct {
	seen   option
	expire int // the argument that holds the time, 0: none
	match  int // the argument that the string is compared with, 0: none
}

// parseOptions reads the words from argument from on; allowed are those of times and
// of may.
func parseOptions(c *command.Ctx, from int, may option) (o options, err error) {
	for i := from; i < len(c.Args); i++ {
		found := false
		for j := range optionWords {
			w := &optionWords[j]
			if !command.Is(c.Args[i], w.word) {
				continue
			}
			if w.bit&(may|optTimes) == 0 || o.seen&w.excludes != 0 {
				break
			}
			if w.bit&(optTimes|optComparison) != 0 {
				if i++; i == len(c.Args) {
					return o, resp.ErrSyntax
				}
				if w.bit&optTimes != 0 {
					o.expire = i
				} else {
					o.match = i
				}
			}
			o.seen |= w.bit
			found = true
			break
		}
		if !found {
			return o, resp.ErrSyntax
		}
	}
	return o, nil
}

// expireAt returns the Unix milliseconds that the options name, 0 for none.
func (o options) expireAt(c *command.Ctx) (int64, error) {
	if o.expire == 0 {
		return 0, nil
	}
	t, err := c.Int(o.expire)
	if err != nil {
		return 0, err
	}
	seconds := o.seen&(optEX|optEXAT) != 0
	if t <= 0 || seconds && t > math.MaxInt64/1000 {
		return 0, resp.InvalidExpire(c.Spec.FullName())
	}
	if seconds {
		t *= 1000
	}
	if o.seen&(optEX|optPX) != 0 {
		if t > math.MaxInt64-c.Now() {
			return 0, resp.InvalidExpire(c.Spec.FullName())
		}
		t += c.Now()
	}
	return t, nil
}

func appendInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }
