package stream

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errAddedSign    = resp.NewError("ERR entries_added must be positive")
	errAddedLength  = resp.NewError("ERR The entries_added specified in XSETID is smaller than the target stream length")
	errBelowGiven   = resp.NewError("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
	errBelowDeleted = resp.NewError("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
	errBelowTop     = resp.NewError("ERR The ID specified in XSETID is smaller than the target stream top item")
)

func xsetid(c *command.Ctx) error {
	id, err := strictID(c, 2)
	if err != nil {
		return err
	}
	added, deleted := int64(-1), stream.ID{}
	for i := 3; i < len(c.Args); i += 2 {
		switch {
		case i+1 < len(c.Args) && is(c.Args[i], "entriesadded"):
			if added, err = c.Int(i + 1); err != nil {
				return err
			}
			if added < 0 {
				return errAddedSign
			}
		case i+1 < len(c.Args) && is(c.Args[i], "maxdeletedid"):
			if deleted, err = strictID(c, i+1); err != nil {
				return err
			}
			if id.Less(deleted) {
				return errBelowGiven
			}
		default:
			return resp.ErrSyntax
		}
	}
	var x engine.Stream
	found, err := open(c, &x, 1)
	if err != nil {
		return err
	}
	if !found {
		return resp.ErrNoSuchKey
	}
	s := x.View()
	// Redis 7.0 as a primary lets it be and sends it on.
	if id.Less(s.MaxDeleted) && !c.Applying {
		return errBelowDeleted
	}
	if top, ok := s.Top(); ok {
		if id.Less(top) {
			return errBelowTop
		}
		if added != -1 && int64(s.Len()) > added {
			return errAddedLength
		}
	}
	s = x.Edit()
	s.Last = id
	if added != -1 {
		s.Added = uint64(added)
	}
	if !deleted.IsZero() {
		s.MaxDeleted = deleted
	}
	verbatim(c, 1)
	c.Notify(command.NotifyStream, "xsetid", 1)
	c.Out.OK()
	return nil
}
