package command_test

import (
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/resp"
)

// waitCommands are SET, DEL and two that wait for a string: BTAKE key... seconds takes
// the first that is there, BPASS src dst seconds gives it another key.
func waitCommands() []command.Spec {
	nothing := func(out *resp.Writer) { out.Null() }
	rw := command.KeyRW | command.KeyUpdate
	take := func(c *command.Ctx, i int) (v []byte, ok bool) {
		r, ok := c.DB.Find(c.Slot(i), c.Args[i])
		if !ok {
			return nil, false
		}
		v = r.Append(nil)
		c.DB.Delete(c.Slot(i), c.Args[i])
		c.Changed(1)
		c.Effect(c.Slot(i), []byte("DEL"), c.Args[i])
		return v, true
	}
	return []command.Spec{
		{Name: "set", Arity: 3, Flags: command.Write, Keys: command.Key(rw), Run: func(c *command.Ctx) error {
			c.Changed(1)
			c.Out.OK()
			return c.DB.SetString(c.Slot(1), c.Args[1], c.Args[2], 0)
		}},
		{Name: "btake", Arity: -3, Flags: command.Write, Keys: command.KeysTo(-2, 1, rw), Run: func(c *command.Ctx) error {
			var keys []int
			for i := 1; i < len(c.Args)-1; i++ {
				if v, ok := take(c, i); ok {
					c.Out.Bulk(v)
					return nil
				}
				keys = append(keys, i)
			}
			return c.BlockOn(0, nothing, keys...)
		}},
		{Name: "bpass", Arity: 4, Flags: command.Write, Keys: command.KeysTo(1, 1, rw), Run: func(c *command.Ctx) error {
			v, ok := take(c, 1)
			if !ok {
				return c.BlockOn(0, nothing, 1)
			}
			if string(v) == "bad" {
				return resp.ErrSyntax
			}
			c.Effect(c.Slot(2), []byte("SET"), c.Args[2], v)
			c.Out.Bulk(v)
			return c.DB.SetString(c.Slot(2), c.Args[2], v, 0)
		}},
		{Name: "bslow", Arity: 3, Flags: command.Write, Keys: command.Key(rw), Run: func(c *command.Ctx) error {
			if _, ok := c.DB.Peek(c.Slot(1), c.Args[1]); !ok {
				return c.BlockOn(0, nothing, 1)
			}
			if !c.Owner {
				return command.ErrSlow
			}
			v, _ := take(c, 1)
			c.Out.Bulk(v)
			return nil
		}},
	}
}

func TestScriptOfBlockedClients(t *testing.T) {
	r := commandtest.NewRunner(t, 0, waitCommands())
	r.Script(t, `
		@a btake k l 0 -> blocked
		@b btake k 0 -> blocked
		@a -> blocked
		set l 1 -> OK | set l 1; DEL l
		@a -> 1
		@b timeout -> nil
		set k 1 -> OK | set k 1
		@a btake k 0 -> 1 | DEL k
		@a bpass x y 0 -> blocked
		@b bpass y z 0 -> blocked
		@c btake z y 0 -> blocked
		set x v -> OK | set x v; DEL x; SET y v; DEL y; SET z v; DEL z
		@a -> v
		@b -> v
		@c -> v
		@a bpass x y 0 -> blocked
		set x bad -> OK | set x bad; DEL x
		@a -> -ERR syntax error
		@a bslow k 0 -> blocked
		set k 1 -> OK | set k 1; DEL k
		@a -> 1
	`)
	if r.Ctx.Waits.Active() {
		t.Error("waits are left behind")
	}
}
