// Package str implements the string commands. It owns their exact Redis semantics:
// options, their conflicts and order of checks, overflow, and the deterministic
// effects that are propagated instead of requests that depend on time or rounding.
// It keeps no state; package command runs it under the locks of its keys.
package str

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

// Words of the requests that are propagated.
var (
	wordDel       = []byte("DEL")
	wordKeepTTL   = []byte("KEEPTTL")
	wordPersist   = []byte("PERSIST")
	wordPExpireAt = []byte("PEXPIREAT")
	wordPXAT      = []byte("PXAT")
	wordSet       = []byte("SET")
)

// isString refuses a found key that holds no string.
func isString(r engine.Record, found bool) error {
	if found && r.Type() != engine.TypeString {
		return resp.ErrWrongType
	}
	return nil
}

// replyValue appends the string of r.
func replyValue(out *resp.Writer, r engine.Record) {
	if v, ok := r.Int(); ok {
		out.BulkInt(v)
		return
	}
	var digits [20]byte
	out.Bulk(r.Bytes(digits[:0]))
}

// fits refuses a string that would be longer than proto-max-bulk-len.
func fits(c *command.Ctx, have, more int64) error {
	if have > c.MaxString()-more {
		return resp.ErrStringTooLong
	}
	return nil
}
