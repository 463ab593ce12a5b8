package stream

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errBothTrims     = resp.NewError("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
	errMaxLen        = resp.NewError("ERR The MAXLEN argument must be >= 0.")
	errLimit         = resp.NewError("ERR The LIMIT argument must be >= 0.")
	errLimitNoTrim   = resp.NewError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
	errLimitExact    = resp.NewError("ERR syntax error, LIMIT cannot be used without the special ~ option")
	errNoTrim        = resp.NewError("ERR syntax error, XTRIM must be called with a trimming strategy")
	errTwoReferences = resp.NewError("ERR syntax error, only one of KEEPREF, DELREF or ACKED may be given")
)

// Bounds of the LIMIT of an approximate trim that has none (t_stream.c,
// streamParseAddOrTrimArgsOrReply).
const (
	limitNodes   = 100 // nodes' worth of entries
	limitDefault = 10_000
	limitMost    = 1_000_000
)

// addOptions are the options of XADD and XTRIM.
type addOptions struct {
	noMake   bool
	id       parsedID
	idArg    int  // argument of the id of XADD
	auto     bool // which is *
	trims    bool
	trim     stream.Trim
	trimArg  int // argument of the trim's bound
	limit    int64
	hasLimit bool
	refsArg  int // argument of the word about references; 0: there is none
}

// parseAddOptions reads what stands before the fields of XADD, or all of XTRIM.
func parseAddOptions(c *command.Ctx, add bool) (o addOptions, err error) {
	o.trim.MaxLen = -1
	for i := 2; i < len(c.Args); i++ {
		word := c.Args[i]
		more := len(c.Args) - 1 - i
		switch {
		case add && len(word) == 1 && word[0] == '*':
			o.idArg, o.auto = i, true
			return o, o.check(c, add)
		case more > 0 && is(word, "maxlen"), more > 0 && is(word, "minid"):
			if i, err = o.parseTrim(c, i); err != nil {
				return o, err
			}
		case more > 0 && is(word, "limit"):
			i++
			if o.limit, err = c.Int(i); err != nil {
				return o, err
			}
			if o.limit < 0 {
				return o, errLimit
			}
			o.hasLimit = true
		case add && is(word, "nomkstream"):
			o.noMake = true
		case o.parseRefs(word):
			if o.refsArg != 0 {
				return o, errTwoReferences
			}
			o.refsArg = i
		case add:
			var ok bool
			if o.id, ok = parseID(word, 0, idOptions{anySeq: true}); !ok {
				return o, errID
			}
			o.idArg = i
			return o, o.check(c, add)
		default:
			return o, resp.ErrSyntax
		}
	}
	o.idArg = len(c.Args)
	return o, o.check(c, add)
}

// parseTrim reads MAXLEN or MINID at argument i and what belongs to it, and returns the
// last argument that does.
func (o *addOptions) parseTrim(c *command.Ctx, i int) (int, error) {
	if o.trims {
		return i, errBothTrims
	}
	byLen := is(c.Args[i], "maxlen")
	if next := c.Args[i+1]; i+2 < len(c.Args) && len(next) == 1 && (next[0] == '~' || next[0] == '=') {
		o.trim.Approx = next[0] == '~'
		i++
	}
	i++
	o.trims, o.trimArg = true, i
	var err error
	if !byLen {
		o.trim.MinID, err = strictID(c, i)
		return i, err
	}
	if o.trim.MaxLen, err = c.Int(i); err == nil && o.trim.MaxLen < 0 {
		err = errMaxLen
	}
	return i, err
}

// parseRefs takes one of the words that say what becomes of references (Redis 8.2).
func (o *addOptions) parseRefs(word []byte) bool {
	r, ok := parseReferences(word)
	if ok {
		o.trim.References = r
	}
	return ok
}

func parseReferences(word []byte) (r stream.References, ok bool) {
	switch {
	case is(word, "keepref"):
		return stream.KeepReferences, true
	case is(word, "delref"):
		return stream.DeleteReferences, true
	case is(word, "acked"):
		return stream.OnlyAcknowledged, true
	}
	return 0, false
}

// check ends the parsing: options that exclude each other, and the limit of an
// approximate trim. Where a stream is applied the sender has had its own.
func (o *addOptions) check(c *command.Ctx, add bool) error {
	switch {
	case o.limit != 0 && !o.trims:
		return errLimitNoTrim
	case !add && !o.trims:
		return errNoTrim
	case c.Applying:
		o.limit = 0
	case o.hasLimit && !o.trim.Approx:
		return errLimitExact
	case !o.hasLimit && o.trim.Approx:
		o.limit = -1 // by the limits of the keyspace, once they are at hand
	}
	return nil
}

// bound sets the limit of the trim for a stream of such nodes.
func (o *addOptions) bound(l stream.Limits) {
	if o.limit < 0 {
		if o.limit = limitMost; l.NodeEntries < limitMost/limitNodes {
			o.limit = limitNodes * l.NodeEntries
		}
		if o.limit <= 0 {
			o.limit = limitDefault
		}
	}
	o.trim.Limit = o.limit
}
