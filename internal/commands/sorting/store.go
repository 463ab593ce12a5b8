package sorting

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

var (
	wordDel   = []byte("DEL")
	wordRPush = []byte("RPUSH")
)

// effectBytes and effectElements are when one RPUSH that is propagated is long enough.
const (
	effectBytes    = 64 << 10
	effectElements = 1024
)

// store makes the key of STORE a list of the result, or deletes it where that is empty.
// It is propagated as the list, since what BY and GET name may lie in other slots.
func (h *handlers) store(c *command.Ctx, o *options, f *finder, elems []elem) error {
	key := c.Args[o.store]
	slot := slots.Of(key)
	if len(elems) == 0 {
		if c.DB.Delete(slot, key) {
			c.Effect(slot, wordDel, key)
			c.Notify(command.NotifyGeneric, "del", o.store)
			c.Changed(1)
		}
		c.Out.Int(0)
		return nil
	}
	n := len(elems) * max(1, len(o.get))
	var mem memory
	result := make([][]byte, 0, n)
	for i := range elems {
		if len(o.get) == 0 {
			result = append(result, elems[i].text)
		}
		for j := range o.get {
			val, _ := f.find(&o.get[j], elems[i].text)
			result = append(result, mem.copy(val))
		}
	}
	_, there := c.DB.Peek(slot, key)
	err := c.Aside(slot, key, func(a *engine.Access) error {
		var l engine.List
		if _, err := l.Open(a, slot, key); err != nil {
			return err
		}
		return parts(result, func(part [][]byte) error { return l.Push(false, part...) })
	})
	if err != nil {
		return err
	}
	if there {
		c.Effect(slot, wordDel, key)
	}
	args := [][]byte{wordRPush, key}
	_ = parts(result, func(part [][]byte) error {
		args = append(args[:2], part...)
		c.Effect(slot, args...)
		return nil
	})
	c.Notify(command.NotifyList, "sortstore", o.store)
	c.Ready(o.store)
	c.Changed(n)
	c.Out.Int(int64(n))
	return nil
}

// parts calls f with runs of all.
func parts(all [][]byte, f func([][]byte) error) error {
	from, bytes := 0, 0
	for i, e := range all {
		bytes += len(e)
		if i+1-from < effectElements && bytes < effectBytes && i+1 < len(all) {
			continue
		}
		if err := f(all[from : i+1]); err != nil {
			return err
		}
		from, bytes = i+1, 0
	}
	return nil
}
