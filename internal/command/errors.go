package command

import (
	"errors"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

// ErrorReply returns what a client is told of an error that a handler has returned: the
// error itself if it is a reply, and the engine's in Redis' words. ok is false for any
// other error, which is a bug.
func ErrorReply(err error) (reply *resp.Error, ok bool) {
	switch e := err.(type) {
	case *resp.Error:
		return e, true
	default:
		if errors.Is(err, engine.ErrWrongType) {
			return resp.ErrWrongType, true
		}
		if errors.Is(err, engine.ErrNoSpace) {
			return resp.ErrOOM, true
		}
		return wrappedReply(err)
	}
}

// wrappedReply is apart so that what errors.As makes escape is paid for here alone.
func wrappedReply(err error) (reply *resp.Error, ok bool) {
	ok = errors.As(err, &reply)
	return reply, ok
}
