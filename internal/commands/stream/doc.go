// Package stream implements the stream commands and consumer groups. It owns their exact
// Redis semantics: options and the order of their checks, what counts as delivered, and
// the deterministic requests that are propagated: entries with their ids, trims to an
// exact length, reads of groups as claims. It keeps no state; package command runs it
// under the locks of its keys.
package stream

import (
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

// Words of the requests that are propagated.
var (
	wordAcked          = []byte("ACKED")
	wordCreateConsumer = []byte("CREATECONSUMER")
	wordEntriesRead    = []byte("ENTRIESREAD")
	wordExact          = []byte("=")
	wordForce          = []byte("FORCE")
	wordJustID         = []byte("JUSTID")
	wordLastID         = []byte("LASTID")
	wordMaxLen         = []byte("MAXLEN")
	wordMinID          = []byte("MINID")
	wordRetryCount     = []byte("RETRYCOUNT")
	wordSetID          = []byte("SETID")
	wordTime           = []byte("TIME")
	wordXAck           = []byte("XACK")
	wordXClaim         = []byte("XCLAIM")
	wordXDel           = []byte("XDEL")
	wordXGroup         = []byte("XGROUP")
	wordXTrim          = []byte("XTRIM")
	wordZero           = []byte("0")
)

// open finds the stream at argument i.
func open(c *command.Ctx, x *engine.Stream, i int) (found bool, err error) {
	return x.Open(&c.DB, c.Slot(i), c.Args[i])
}

// openRead is open for a command that reads.
func openRead(c *command.Ctx, x *engine.Stream, i int) (found bool, err error) {
	found, err = open(c, x, i)
	c.Count(found || err != nil)
	return found, err
}

// verbatim propagates the request though it does not count as a change of the key for
// those who WATCH it: Redis does not signal changes of consumer groups, nor XSETID.
func verbatim(c *command.Ctx, keyArg int) { c.Effect(c.Slot(keyArg), c.Args...) }

func appendInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

// replyID replies with an id.
func replyID(out *resp.Writer, id stream.ID) {
	var text [stream.IDText]byte
	out.Bulk(id.Append(text[:0]))
}

// noGroup is the error of a group that is not there, or whose key is not.
func noGroup(parts ...string) error {
	return command.QuoteError(append([]string{"NOGROUP "}, parts...)...)
}

// missingGroup is the error of the commands that need a group.
func missingGroup(key, group []byte) error {
	return noGroup("No such key '", string(key), "' or consumer group '", string(group), "'")
}

// openGroup finds a group by the names of its key, argument i, and its own, behind it.
func openGroup(c *command.Ctx, x *engine.Stream, i int) (g stream.Group, found bool, err error) {
	if found, err = open(c, x, i); !found || err != nil {
		return g, false, err
	}
	g, found = x.View().Group(c.Args[i+1])
	return g, found, nil
}
