package command_test

import (
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

func newApplier(t *testing.T) (*command.Applier, *commandtest.Runner) {
	r := commandtest.NewRunner(t, 4, str.Specs(), keys.Specs(keys.Deps{}))
	return command.NewApplier(r.Table, r.Keyspace), r
}

func request(line string) [][]byte { return commandtest.Args(strings.Split(line, " ")...) }

func get(t *testing.T, r *commandtest.Runner, line, want string) {
	t.Helper()
	if got := commandtest.Plain(r.Do(strings.Split(line, " ")...)); got != want {
		t.Errorf("%s: %s, want %s", line, got, want)
	}
}

func TestApply(t *testing.T) {
	a, r := newApplier(t)
	mask := r.Keyspace.Mask(slots.Of([]byte("a")))
	called, other := 0, make(chan struct{})
	var free atomic.Bool
	locked := func() {
		if called++; called > 1 {
			return
		}
		go func() {
			defer close(other)
			r.Keyspace.Lock(mask)
			free.Store(true)
			r.Keyspace.Unlock(mask)
		}()
		for range 1000 {
			runtime.Gosched()
		}
		if free.Load() {
			t.Error("the shard was free while locked ran")
		}
	}
	if err := a.Apply(1, request("set a 1"), locked); err != nil {
		t.Fatal(err)
	}
	if err := a.Apply(1, request("append a 2"), locked); err != nil {
		t.Fatal(err)
	}
	<-other
	if called != 2 {
		t.Errorf("locked was called %d times", called)
	}
	r.DB = 1
	get(t, r, "get a", "12")
	r.DB = 0
	get(t, r, "get a", "nil")
}

// What has passed is stored as it stands, and what has expired is still there: the
// sender says when a key goes.
func TestApplyKeepsExpired(t *testing.T) {
	a, r := newApplier(t)
	for _, line := range []string{"set a 1 pxat 1000", "set b 1", "pexpireat b 1000", "append a 2", "rename b c"} {
		if err := a.Apply(0, request(line), nil); err != nil {
			t.Fatal(err)
		}
	}
	get(t, r, "dbsize", "2")
	r.Now = 500
	get(t, r, "mget a c", "[12 1]")
	get(t, r, "pexpiretime c", "1000")
}

func TestApplySlowCommandOwns(t *testing.T) {
	a, r := newApplier(t)
	called := 0
	if err := a.Apply(0, [][]byte{[]byte("set"), []byte("a"), make([]byte, 3<<20)}, func() { called++ }); err != nil {
		t.Fatal(err)
	}
	get(t, r, "strlen a", "3145728")
	if called != 1 {
		t.Errorf("locked was called %d times", called)
	}
}

func TestApplyTx(t *testing.T) {
	a, r := newApplier(t)
	called := 0
	err := a.ApplyTx(0, [][][]byte{request("set a 1"), request("set b 2"), request("incr a")}, func() { called++ })
	if err != nil || called != 1 {
		t.Fatal(err, called)
	}
	get(t, r, "mget a b", "[2 2]")
	err = a.ApplyBlock([]command.Request{{DB: 0, Args: request("set a 5")}, {DB: 2, Args: request("set a 6")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	get(t, r, "get a", "5")
	r.DB = 2
	get(t, r, "get a", "6")
}

func TestApplyRefuses(t *testing.T) {
	a, r := newApplier(t)
	never := func() { t.Error("locked was called") }
	for _, line := range []string{"nosuch a", "get a", "set a", "object encoding a", "dbsize"} {
		if err := a.Apply(0, request(line), never); !errors.Is(err, command.ErrNotApplicable) {
			t.Errorf("%s: %v", line, err)
		}
		err := a.ApplyTx(0, [][][]byte{request("set a 1"), request(line)}, never)
		if !errors.Is(err, command.ErrNotApplicable) {
			t.Errorf("%s in a block: %v", line, err)
		}
	}
	if err := a.Apply(0, nil, never); !errors.Is(err, command.ErrNotApplicable) {
		t.Error(err)
	}
	get(t, r, "exists a", "0")
	err := a.Apply(0, request("rename a b"), never)
	if reply := (*resp.Error)(nil); !errors.As(err, &reply) || reply != resp.ErrNoSuchKey {
		t.Error(err)
	}
	get(t, r, "set a 1", "OK") // the shards are free again
	get(t, r, "keys *", "[a]")
}

func TestApplyAllocatesNothing(t *testing.T) {
	a, _ := newApplier(t)
	args := request("set a 12345678")
	if err := a.Apply(0, args, nil); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { a.Apply(0, args, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
