package list

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

func lpop(c *command.Ctx) error { return pop(c, left) }
func rpop(c *command.Ctx) error { return pop(c, right) }

func pop(c *command.Ctx, at side) error {
	if len(c.Args) > 3 {
		return resp.WrongArity(c.Spec.FullName())
	}
	counted, count := len(c.Args) == 3, int64(1)
	if counted {
		var ok bool
		if count, ok = command.ParseInt(c.Args[2]); !ok || count < 0 {
			return resp.ErrPositiveOutOfRange
		}
	}
	var l engine.List
	found, err := open(c, &l, 1)
	switch {
	case err != nil:
		return err
	case !found && counted:
		c.Out.NullArray()
		return nil
	case !found:
		c.Out.Null()
		return nil
	case counted:
		return popRange(c, &l, 1, at, count)
	}
	return popOne(c, &l, 1, at)
}

// popOne replies with the element at one end of l, the list at argument key, and takes it
// away.
func popOne(c *command.Ctx, l *engine.List, key int, at side) error {
	i := 0
	if at == right {
		i = l.Len() - 1
	}
	str, v, isInt := l.Index(i)
	if c.Slow(1, len(str)) {
		return command.ErrSlow
	}
	reply(c.Out, str, v, isInt)
	l.Pop(at.front())
	c.ChangedAt(key, 1)
	removed(c, l, key, at.popEvent())
	return nil
}

// popRange replies with an array of up to count elements at one end of l, the one at the
// end first, and takes them away.
func popRange(c *command.Ctx, l *engine.List, key int, at side, count int64) error {
	n := l.Len()
	count = min(count, int64(n))
	first, from := 0, 0
	if at == right {
		first, from = n-1, n-int(count)
	}
	if slowRange(c, l, from, int(count)) {
		return command.ErrSlow
	}
	replyRange(c.Out, l, first, int(count), at == right)
	if count == 0 {
		return nil
	}
	l.Delete(from, int(count))
	c.ChangedAt(key, int(count))
	removed(c, l, key, at.popEvent())
	return nil
}
