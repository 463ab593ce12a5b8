// Package commandtest is for tests of commands: a Runner that runs them without a
// server, a real redis-server to compare with, and the comparison of a command table
// with what that server's COMMAND says. No program imports it.
package commandtest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// Runner runs commands of a table on a keyspace as a server does, but without gates,
// routing, transactions or sockets. It belongs to one goroutine.
type Runner struct {
	Table    *command.Table
	Keyspace *engine.Keyspace
	// DB is the selected database.
	DB int
	// Now is the time in Unix milliseconds; 0: the machine's clock.
	Now int64
	// Mode is how expired keys are treated.
	Mode engine.AccessMode
	// Ctx is the call context; its Block takes the effects of the last command.
	Ctx command.Ctx
	// Owned counts the commands that had to run as an owner.
	Owned int

	out  resp.Writer
	wait *command.Wait // the last command blocked

	heard []string // events of the last command, where Listen was called
}

// NewRunner returns a runner with a keyspace of its own. databases 0: 16.
func NewRunner(t testing.TB, databases int, groups ...[]command.Spec) *Runner {
	t.Helper()
	table, err := command.NewTable(groups...)
	if err != nil {
		t.Fatal(err)
	}
	if databases == 0 {
		databases = 16
	}
	ks, err := engine.New(engine.Options{Shards: 8, Databases: databases, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ks.Close)
	return newClient(table, ks, command.NewWaits(ks))
}

func newClient(table *command.Table, ks *engine.Keyspace, waits *command.Waits) *Runner {
	r := &Runner{Table: table, Keyspace: ks}
	r.Ctx.Keyspace, r.Ctx.Out, r.Ctx.Block, r.Ctx.Waits = ks, &r.out, new(effects.Block), waits
	r.Ctx.MayReplyLater = true
	return r
}

// UseRESP3 makes the replies those of RESP3.
func (r *Runner) UseRESP3() { r.SetRESP3(true) }

// SetRESP3 chooses between the replies of RESP3 and RESP2.
func (r *Runner) SetRESP3(on bool) { r.out.RESP3 = on }

// Do runs a request and returns its reply; the bytes are valid until the next call. A
// command that blocks replies nothing; see Blocked.
func (r *Runner) Do(words ...string) []byte { return r.Run(Args(words...)) }

// Run is Do for arguments that the caller keeps; it allocates nothing by itself.
func (r *Runner) Run(args [][]byte) []byte {
	r.out.Buf = r.out.Buf[:0]
	r.Ctx.Block.Reset()
	r.heard = r.heard[:0]
	spec, refused := r.Table.Resolve(args)
	if refused != nil {
		r.out.Error(refused)
		return r.out.Buf
	}
	now := r.Now
	if now == 0 {
		now = clock.WallMillis()
	}
	c := &r.Ctx
	r.begin(spec, args)
	c.Use(r.DB, now, r.Mode)
	mask, ok := c.LockMask()
	if !ok {
		mask = 0
	}
	held := c.Held
	mask = r.lock(mask)
	err := spec.Run(c)
	if errors.Is(err, command.ErrSlow) {
		if len(r.out.Buf) > 0 || c.Changes() > 0 {
			panic(fmt.Sprintf("%s returned ErrSlow after a reply or a change", spec.FullName()))
		}
		r.Owned++
		r.Keyspace.Unlock(mask)
		r.Keyspace.Own(mask)
		c.ForgetEvents(0)
		r.begin(spec, args)
		c.Held, c.Owner = held, true
		err = spec.Run(c)
		c.End()
		r.serve(mask)
		c.Owner = false
		r.Keyspace.Disown(mask)
	} else {
		c.End()
		if r.serve(mask) != nil {
			r.Keyspace.OwnLocked(mask)
			c.Owner = true
			r.serve(mask)
			c.Owner = false
			r.Keyspace.Disown(mask)
		} else {
			r.Keyspace.Unlock(mask)
		}
		if c.RepliesLater() {
			c.ReplyNow()
		}
	}
	if err != nil {
		r.reject(spec, err)
	}
	return r.out.Buf
}

func (r *Runner) begin(spec *command.Spec, args [][]byte) {
	key, slot := spec.SingleKey(), slots.Slot(0)
	if key != 0 {
		slot = slots.Of(args[key])
	}
	r.Ctx.Begin(spec, args, key, slot)
}

// reject appends the error that a handler returned, which must be one for clients.
func (r *Runner) reject(spec *command.Spec, err error) {
	text, ok := command.ErrorReply(err)
	if !ok || len(r.out.Buf) > 0 {
		panic(fmt.Sprintf("%s returned %v behind the reply %q", spec.FullName(), err, r.out.Buf))
	}
	r.out.Error(text)
}

// Listen has the runner note the events of the classes that the letters of
// notify-keyspace-events name.
func (r *Runner) Listen(letters string) {
	r.Ctx.Events = command.NewEvents(func(channel, payload []byte, _ int64) {
		if event, ok := strings.CutPrefix(string(channel), "__keyevent@"); ok {
			db, event, _ := strings.Cut(event, "__:")
			if db != "0" {
				event += "@" + db
			}
			r.heard = append(r.heard, event+" "+string(payload))
		}
	})
	r.Ctx.Events.SetClasses(command.ParseNotifyClasses("E" + letters))
}

// Heard returns the events of the last command and of those that it served: the event
// and the key, "del k"; "@2" behind the event says that the key is of database 2.
func (r *Runner) Heard() []string { return r.heard }

// Effects returns the requests that the last command staged.
func (r *Runner) Effects() []string {
	var out []string
	for _, e := range r.Ctx.Block.Entries {
		reqs, err := Requests(r.Ctx.Block.Buf[e.Start:e.End])
		if err != nil {
			panic(err)
		}
		for _, args := range reqs {
			line := ""
			for i, a := range args {
				if i > 0 {
					line += " "
				}
				line += string(a)
			}
			out = append(out, line)
		}
	}
	return out
}
