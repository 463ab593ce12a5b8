package migration

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// bench is a staging area with an applier on it.
type bench struct {
	t     testing.TB
	ks    *engine.Keyspace
	holds Holds
	st    *Staging
	apply *command.Applier
	table *command.Table
}

func newBench(t testing.TB) *bench {
	b := &bench{t: t}
	var err error
	if b.ks, err = engine.New(engine.Options{Shards: 4, Databases: 1, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.ks.Close)
	b.st = NewStaging(b.ks, &b.holds)
	if b.table, err = command.NewTable(str.Specs(), keys.Specs(keys.Deps{Cluster: true}), b.st.Specs()); err != nil {
		t.Fatal(err)
	}
	b.st.Bind(b.table)
	b.apply = command.NewApplier(b.table, b.ks)
	return b
}

// do applies one request; %s in a word stands for the slot of key.
func (b *bench) do(words ...string) error {
	args := make([][]byte, len(words))
	for i := range words {
		args[i] = []byte(words[i])
	}
	return b.apply.Apply(0, args, nil)
}

func (b *bench) must(words ...string) {
	b.t.Helper()
	if err := b.do(words...); err != nil {
		b.t.Fatalf("%.80q: %v", words, err)
	}
	if err := b.st.checkInvariants(); err != nil {
		b.t.Fatalf("after %.80q: %v", words, err)
	}
}

func (b *bench) get(db int, key string) (value string, expireAt int64, ok bool) {
	s := slots.Of([]byte(key))
	b.ks.Lock(b.ks.Mask(s))
	defer b.ks.Unlock(b.ks.Mask(s))
	a := b.ks.Access(db, 0, engine.ModeApply)
	r, ok := a.Peek(s, []byte(key))
	if !ok {
		return "", 0, false
	}
	return string(r.Append(nil)), r.ExpireAt(), true
}

func request(words ...string) string {
	args := make([][]byte, len(words))
	for i := range words {
		args[i] = []byte(words[i])
	}
	return string(resp.AppendCommand(nil, args...))
}

const (
	tagOne = "job/1.5.6"
	tagTwo = "job/2.5.6"
)

func slotOf(key string) string { return fmt.Sprint(slots.Of([]byte(key))) }

func TestStageLife(t *testing.T) {
	b := newBench(t)
	staging := b.ks.StagingDB()
	b.must("set", "foo", "old")
	b.must("RW.STAGE", "BEGIN", "6.1", tagOne, "0-16383")
	b.must("RW.STAGE", "PUT", "6.1", slotOf("foo"), "foo", "string embstr 77 i5", "bar", "{foo}2", "string int 0 i5", "12", "{foo}3", "string raw 0 i5", "raw")
	if _, expireAt, ok := b.get(staging, "foo"); !ok || expireAt != 77 {
		t.Errorf("an expired record must be staged as it is: %v, %d", ok, expireAt)
	}
	if v, _, _ := b.get(0, "foo"); v != "old" {
		t.Errorf("staging changes what is visible: %q", v)
	}
	b.must("RW.STAGE", "RUN", "6.1", slotOf("foo"), request("incr", "{foo}2")+request("append", "foo", "+")+request("del", "{foo}3"))
	if b.holds.Held(slots.Of([]byte("foo"))) != HoldAll || b.holds.HeldAny() != HoldNone {
		t.Error("staged slots are held, quietly")
	}
	b.must("RW.STAGE", "ATTACH", "6.1", slotOf("foo"))
	if v, expireAt, _ := b.get(0, "foo"); v != "bar+" || expireAt != 77 {
		t.Errorf("attached %q, expiring at %d", v, expireAt)
	}
	if v, _, _ := b.get(0, "{foo}2"); v != "13" {
		t.Errorf("attached %q", v)
	}
	if _, _, ok := b.get(0, "{foo}3"); ok || b.ks.Len(0) != 2 {
		t.Errorf("a deleted key came along: %v, %d keys", ok, b.ks.Len(0))
	}
	if b.holds.Held(slots.Of([]byte("foo"))) != HoldNone {
		t.Error("an attached slot is still held")
	}
	b.must("RW.STAGE", "PUT", "6.1", slotOf("foo"), "foo", "string embstr 0 i5", "late") // passes over
	b.must("RW.STAGE", "PUT", "6.1", slotOf("x"), "x", "string embstr 0 i5", "1")
	b.must("RW.STAGE", "FLUSH", "6.1")
	if b.ks.Len(staging) != 0 {
		t.Error("flush has left something")
	}
	b.must("RW.STAGE", "PUT", "6.1", slotOf("x"), "x", "string embstr 0 i5", "1")
	b.must("RW.STAGE", "DROP", "6.1")
	b.must("RW.STAGE", "DROP", "6.1")
	b.must("RW.LEAVE", "0-16383")
	if b.ks.Len(staging) != 0 || b.ks.Len(0) != 0 || b.holds.table.Load() != nil {
		t.Error("something is left")
	}
}

// A new stage takes its slots from older ones, whose leftovers must not come along.
func TestStagesAreDisjoint(t *testing.T) {
	b := newBench(t)
	b.must("RW.STAGE", "BEGIN", "6.1", tagOne, "0-16383")
	b.must("RW.STAGE", "PUT", "6.1", slotOf("foo"), "foo", "string embstr 0 i5", "first")
	b.must("RW.STAGE", "BEGIN", "6.2", tagTwo, slotOf("foo"))
	b.must("RW.STAGE", "ATTACH", "6.1", slotOf("foo"))
	if _, _, ok := b.get(0, "foo"); ok {
		t.Error("attached by a stage that has lost the slot")
	}
	b.must("RW.STAGE", "PUT", "6.1", slotOf("foo"), "foo", "string embstr 0 i5", "late")
	b.must("RW.STAGE", "ATTACH", "6.2", slotOf("foo"))
	if v, _, ok := b.get(0, "foo"); ok {
		t.Errorf("attached %q by a stage where nothing was put", v)
	}
	b.st.Reset()
	if len(b.st.all()) != 0 || b.holds.table.Load() != nil {
		t.Error("reset has left something")
	}
}

func TestStageRefuses(t *testing.T) {
	b := newBench(t)
	b.must("RW.STAGE", "BEGIN", "6.1", tagOne, "0-16383")
	for _, words := range [][]string{
		{"RW.STAGE", "BEGIN", "6.2", "no tag", "0-1"},
		{"RW.STAGE", "BEGIN", "6.2", tagOne, "0-99999"},
		{"RW.STAGE", "PUT", "6.1", slotOf("foo"), "foo", "string embstr 0 i5"},
		{"RW.STAGE", "PUT", "6.1", slotOf("bar"), "foo", "string embstr 0 i5", "x"},
		{"RW.STAGE", "PUT", "6.1", slotOf("foo"), "foo", "hash ziplist 0 i5", "x"},
		{"RW.STAGE", "PUT", "6.1", slotOf("foo"), "foo", "hash 4 0 i5", "\x01\x01f"},
		{"RW.STAGE", "PUT", "6.1", slotOf("foo"), "foo", "hash 99 0 i5", "\x01\x01f"},
		{"RW.STAGE", "PUT", "6.1", slotOf("foo"), "foo", "string raw 0", "x"},
		{"RW.STAGE", "PUT", "6.1", slotOf("foo"), "foo", "string raw 0 x5", "x"},
		{"RW.STAGE", "PUT", "6.1", slotOf("foo"), "foo", "string raw 0 i", "x"},
		{"RW.STAGE", "PUT", "6.1", slotOf("foo"), "foo", "string embstr -5 i5", "x"},
		{"RW.STAGE", "PUT", "6.1", "x", "foo", "string embstr 0 i5", "x"},
		{"RW.STAGE", "RUN", "6.1", slotOf("foo"), request("set", "bar", "1")},
		{"RW.STAGE", "RUN", "6.1", slotOf("foo"), request("mset", "foo", "1", "bar", "1")},
		{"RW.STAGE", "RUN", "6.1", slotOf("foo"), request("flushall")},
		{"RW.STAGE", "RUN", "6.1", slotOf("foo"), request("get", "foo")},
		{"RW.STAGE", "RUN", "6.1", slotOf("foo"), request("nosuch", "foo")},
		{"RW.STAGE", "RUN", "6.1", slotOf("foo"), request("RW.STAGE", "DROP", "6.1")},
		{"RW.STAGE", "RUN", "6.1", slotOf("foo"), request("set", "foo", "1")[:20]},
		{"RW.STAGE", "RUN", "6.1", slotOf("foo"), "*0\r\n"},
		{"RW.STAGE", "ATTACH", "6.1", "x"},
		{"RW.LEAVE", "x"},
		{"RW.STAGE", "NOSUCH"},
	} {
		if err := b.do(words...); err == nil {
			t.Errorf("%q was taken", words)
		}
	}
	if b.ks.Len(b.ks.StagingDB()) != 0 || b.ks.Len(0) != 0 {
		t.Error("something was changed")
	}
	// And a runner that has failed is not used again.
	b.must("RW.STAGE", "RUN", "6.1", slotOf("foo"), request("set", "foo", "1"))
}

func TestClientsCannotStage(t *testing.T) {
	b := newBench(t)
	for _, words := range [][]string{{"rw.leave", "0"}, {"rw.stage", "drop", "6.1"}} {
		args := make([][]byte, len(words))
		for i := range words {
			args[i] = []byte(words[i])
		}
		spec, refused := b.table.Resolve(args)
		if refused != nil {
			t.Fatal(refused)
		}
		var out resp.Writer
		c := command.Ctx{Keyspace: b.ks, Out: &out}
		c.Begin(spec, args, 0, 0)
		var shown *resp.Error
		if err := spec.Run(&c); !errors.As(err, &shown) || !strings.HasPrefix(shown.Error(), "ERR unknown") {
			t.Errorf("%q: %v", words, err)
		}
	}
}

// Big values are staged by owners of their shard, not under its mutex.
func TestBigValueIsStaged(t *testing.T) {
	b := newBench(t)
	value := strings.Repeat("x", 3<<20)
	b.must("RW.STAGE", "BEGIN", "6.1", tagOne, "0-16383")
	b.must("RW.STAGE", "PUT", "6.1", slotOf("foo"), "foo", "string raw 0 i5", value)
	b.must("RW.STAGE", "RUN", "6.1", slotOf("foo"), request("append", "foo", value))
	b.must("RW.STAGE", "ATTACH", "6.1", "0-16383")
	if v, _, _ := b.get(0, "foo"); v != value+value {
		t.Errorf("%d bytes came", len(v))
	}
}

// What comes in over the bus and is not a move is refused or dropped, and the node
// goes on.
func TestServeRefuses(t *testing.T) {
	c, a1, _, b1, _ := newCluster(t)
	job := topology.BeginMove{Job: "j", Source: shardA, Target: shardB, Slots: lowSlots(10)}
	try := func(name string, peer *testNode, wire []byte, want frameKind) {
		t.Helper()
		here, there := net.Pipe()
		go b1.mover.Serve(there, peer.id)
		defer here.Close()
		here.SetDeadline(time.Now().Add(5 * time.Second))
		go here.Write(wire)
		in := frameReader{r: here}
		kind, payload, err := in.next()
		if want == 0 && err == nil || want != 0 && (err != nil || kind != want) {
			t.Errorf("%s: kind %d %q, %v", name, kind, payload, err)
		}
	}
	hello := func(change func(*begin)) []byte {
		h := begin{Version: wireVersion, Job: "j", Attempt: 1, Source: shardA, Target: shardB}
		v := c.log.truth.Load()
		h.SourceTerm, h.TargetTerm = v.ShardByID(shardA).Term, v.ShardByID(shardB).Term
		change(&h)
		return appendFrame(nil, frameBegin, []byte(fmt.Sprintf(`{"version":%d,"job":%q,"attempt":%d,"sourceTerm":%d,"targetTerm":%d,"index":%d}`, h.Version, h.Job, h.Attempt, h.SourceTerm, h.TargetTerm, h.Index)))
	}
	try("garbage", a1, bytes.Repeat([]byte("x"), 64), 0)
	try("other frame", a1, appendFrame(nil, framePing, nil), 0)
	try("bad json", a1, appendFrame(nil, frameBegin, []byte("{")), frameRefuse)
	try("unknown job", a1, hello(func(*begin) {}), frameRefuse)
	c.nodes[a1.id].stop() // its mover shall not take the job
	c.log.must(job)
	eventually(t, "the target has seen the job", func() bool { return b1.tlog.View().Move("j") != nil })
	try("other version", a1, hello(func(h *begin) { h.Version = 9 }), frameRefuse)
	try("other attempt", a1, hello(func(h *begin) { h.Attempt = 2 }), frameRefuse)
	try("other term", a1, hello(func(h *begin) { h.TargetTerm = 99 }), frameRefuse)
	try("not the source", b1, hello(func(*begin) {}), frameRefuse)
	try("right", a1, hello(func(*begin) {}), frameAccept)
	eventually(t, "the stage of the cut connection is dropped", func() bool { return len(b1.staging.all()) == 0 })
}

// Only this attempt's stage may be filled over its connection.
func TestTargetRefusesForeignRequests(t *testing.T) {
	b := newBench(t)
	tg := &target{m: &Mover{o: Options{Keyspace: b.ks, Table: b.table, Staging: b.st}}, name: "6.1"}
	tg.progress = newProgress(RoleTarget, &tg.move)
	b.must("RW.STAGE", "BEGIN", "6.1", tagOne, "0-99")
	for _, payload := range []string{
		request("set", "foo", "bar"),
		request("RW.STAGE", "PUT", "6.2", slotOf("foo"), "foo", "string embstr 0 i5", "x"),
		request("RW.STAGE", "DROP", "6.1"),
		request("RW.STAGE", "ATTACH", "6.1", "0-99"),
		request("RW.LEAVE", "0-99"),
		"*1\r\n$1\r\n",
		"nonsense",
		"$-1\r\n",
	} {
		var parser resp.Parser
		if err := tg.data(b.apply, &parser, []byte(payload)); !errors.Is(err, errFrame) {
			t.Errorf("%q: %v", payload, err)
		}
	}
}
