package list

import (
	"bytes"
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
)

func lmove(c *command.Ctx) error {
	from, to, err := sides(c)
	if err != nil {
		return err
	}
	done, err := move(c, from, to)
	if err == nil && !done {
		c.Out.Null()
	}
	return err
}

// sides reads arguments 3 and 4.
func sides(c *command.Ctx) (from, to side, err error) {
	if from, err = sideAt(c, 3); err == nil {
		to, err = sideAt(c, 4)
	}
	return from, to, err
}

func rpoplpush(c *command.Ctx) error {
	done, err := move(c, right, left)
	if err == nil && !done {
		c.Out.Null()
	}
	return err
}

// move takes an element from the list at argument 1 to that at argument 2 and replies
// with it. It reports whether there was one.
func move(c *command.Ctx, from, to side) (done bool, err error) {
	if bytes.Equal(c.Args[1], c.Args[2]) {
		return rotate(c, from, to)
	}
	// The destination first: what is opened last is sure to be as it was found.
	var src, dst engine.List
	_, dstErr := open(c, &dst, 2)
	found, err := open(c, &src, 1)
	if err != nil || !found {
		return false, err
	}
	if dstErr != nil {
		return false, dstErr
	}
	str, v, isInt := end(&src, from)
	if c.Slow(1, len(str)) {
		return false, command.ErrSlow
	}
	elem := str
	if isInt {
		var digits [20]byte
		elem = strconv.AppendInt(digits[:0], v, 10)
	}
	if err := dst.Push(to.front(), elem); err != nil {
		return false, err
	}
	c.Out.Bulk(elem)
	c.Notify(command.NotifyList, to.pushEvent(), 2)
	// The table may have changed under the source.
	if _, err := open(c, &src, 1); err != nil {
		return false, err
	}
	src.Pop(from.front())
	c.Changed(1)
	removed(c, &src, 1, from.popEvent())
	return true, nil
}

// end returns the element at one end of l.
func end(l *engine.List, at side) (str []byte, v int64, isInt bool) {
	if at == left {
		return l.Index(0)
	}
	return l.Index(l.Len() - 1)
}

// rotate is move within one list.
func rotate(c *command.Ctx, from, to side) (done bool, err error) {
	var l engine.List
	found, err := open(c, &l, 1)
	if err != nil || !found {
		return false, err
	}
	str, v, isInt := end(&l, from)
	if c.Slow(1, len(str)) {
		return false, command.ErrSlow
	}
	begin := len(c.Out.Buf)
	reply(c.Out, str, v, isInt)
	if from != to {
		if err := l.Rotate(from.front()); err != nil {
			c.Out.Buf = c.Out.Buf[:begin]
			return false, err
		}
	}
	c.Changed(1)
	c.Notify(command.NotifyList, to.pushEvent(), 2)
	c.Notify(command.NotifyList, from.popEvent(), 1)
	return true, nil
}
