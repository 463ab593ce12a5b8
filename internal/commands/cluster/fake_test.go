package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// id returns a node or shard id of one digit.
func id(digit string) string { return strings.Repeat(digit, 40) }

// fakeControl is a control plane that writes down what it is asked to do.
type fakeControl struct {
	view   *topology.View
	self   topology.NodeID
	health map[topology.NodeID]Health
	quorum bool
	epoch  uint64
	calls  []string
	answer error
}

func (f *fakeControl) View() *topology.View  { return f.view }
func (f *fakeControl) Self() topology.NodeID { return f.self }
func (f *fakeControl) Local() topology.Node {
	return topology.Node{ID: f.self, Run: "0123456789abcdef", Shard: topology.ShardID(id("f")),
		Addr: topology.Addr{Port: 7000, BusPort: 17000}, Priority: 100}
}
func (f *fakeControl) ConfigEpoch() uint64                { return f.epoch }
func (f *fakeControl) Health(node topology.NodeID) Health { return f.health[node] }
func (f *fakeControl) HasQuorum() bool                    { return f.quorum }
func (f *fakeControl) Messages() (uint64, uint64)         { return 11, 22 }
func (f *fakeControl) Dropped() map[string]int64 {
	return map[string]int64{"malformed": 2, "cluster": 1}
}

func (f *fakeControl) note(format string, args ...any) error {
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	return f.answer
}
func (f *fakeControl) AddSlots(_ context.Context, s slots.Set) error {
	return f.note("add %s", s.String())
}
func (f *fakeControl) DelSlots(_ context.Context, s slots.Set) error {
	return f.note("del %s", s.String())
}
func (f *fakeControl) Meet(_ context.Context, h string, p, b int) error {
	return f.note("meet %s %d %d", h, p, b)
}
func (f *fakeControl) Replicate(_ context.Context, n topology.NodeID) error {
	return f.note("replicate %s", n[:1])
}
func (f *fakeControl) Forget(_ context.Context, n topology.NodeID) error {
	return f.note("forget %s", n[:1])
}
func (f *fakeControl) Reset(_ context.Context, hard bool) error { return f.note("reset %v", hard) }
func (f *fakeControl) Failover(_ context.Context, m FailoverMode) error {
	return f.note("failover %d", m)
}
func (f *fakeControl) SetConfigEpoch(e uint64) error { f.epoch = e; return f.note("epoch %d", e) }
func (f *fakeControl) Configure(_ context.Context, e topology.SetClusterConfig) error {
	return f.note("%s", topology.Describe(e))
}
func (f *fakeControl) MigrateSlots(_ context.Context, moves []MoveRequest) error {
	for _, m := range moves {
		_ = f.note("move %s to %s", m.Slots.String(), m.Target[:1])
	}
	return f.answer
}
func (f *fakeControl) Progress(string) Progress {
	return Progress{Phase: "replicating", LastAckMillis: 5000, BehindBytes: 77, KeysDone: 3, KeysTotal: 8}
}
func (f *fakeControl) CancelMigrations(context.Context) error { return f.note("cancel") }

// testView is a cluster of nodes a (primary of A), b (its replica), c (primary of
// C with a host name) and d (primary of D without slots).
func testView() *topology.View {
	node := func(digit string, shard string, port int) topology.Node {
		return topology.Node{ID: topology.NodeID(id(digit)), Incarnation: 1, Run: "0123456789abcdef",
			Addr:  topology.Addr{Host: "10.0.0." + strconv.Itoa(port), Port: port, BusPort: port + 10000},
			Shard: topology.ShardID(id(shard)), Priority: 100}
	}
	shard := func(digit, primary string, term, epoch uint64, replicas ...topology.NodeID) topology.Shard {
		return topology.Shard{ID: topology.ShardID(id(digit)), Term: term, Epoch: epoch,
			Primary: topology.NodeID(id(primary)), PrimaryRun: "0123456789abcdef", Replicas: replicas,
			InSync: []topology.Member{{Node: topology.NodeID(id(primary)), Run: "0123456789abcdef"}}}
	}
	a, b, c, d := node("a", "1", 1), node("b", "1", 2), node("c", "3", 3), node("d", "4", 4)
	a.Voter, c.Hostname = true, "c.example"
	A, C, D := shard("1", "a", 4, 6, b.ID), shard("3", "c", 2, 7), shard("4", "d", 1, 3)
	A.Slots = slots.SetOf(slots.Range{From: 0, To: 99}, slots.Range{From: 200, To: 200})
	C.Slots = slots.SetOf(slots.Range{From: 100, To: 199})
	C.Open = []topology.OpenSlot{
		{Slot: 150, State: topology.Migrating, Peer: a.ID},
		{Slot: 300, State: topology.Importing, Peer: d.ID},
	}
	v := &topology.View{Index: 42, ClusterID: id("9"), Generation: 1, TermCounter: 4, EpochCounter: 7,
		Nodes: []topology.Node{a, b, c, d}, Shards: []topology.Shard{A, C, D},
		Moves: []topology.Move{
			{Job: id("5"), Attempt: 1, Source: A.ID, Target: C.ID, State: topology.MoveCommitted,
				Slots: slots.SetOf(slots.Range{From: 199, To: 199}), BeganMillis: 1_000, UpdatedMillis: 2_000},
			{Job: id("6"), Attempt: 2, Source: A.ID, Target: D.ID, State: topology.MoveOpen, SourceTerm: 4, TargetTerm: 1,
				Slots: slots.SetOf(slots.Range{From: 5, To: 7}, slots.Range{From: 9, To: 9}), BeganMillis: 3_000, UpdatedMillis: 4_000},
			{Job: id("7"), Attempt: 1, Source: C.ID, Target: D.ID, State: topology.MoveAborted, Reason: "target is gone",
				Slots: slots.SetOf(slots.Range{From: 100, To: 101}), BeganMillis: 3_000, UpdatedMillis: 4_000},
		},
		Removed: []topology.Removed{{ID: topology.NodeID(id("e")), Incarnation: 1}},
	}
	return v.Seal()
}

// rig runs commands as a session would, without a server.
type rig struct {
	*testing.T
	control *fakeControl
	table   *command.Table
	ks      *engine.Keyspace
	config  *config.Config
	resp3   bool
	slotUse func(slots.Slot) (SlotUse, bool)
}

func newRig(t *testing.T, plain bool) *rig {
	t.Helper()
	ks, err := engine.New(engine.Options{Shards: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ks.Close)
	r := &rig{T: t, ks: ks, config: config.New(), control: &fakeControl{
		view: testView(), self: topology.NodeID(id("a")), quorum: true,
		health: map[topology.NodeID]Health{
			topology.NodeID(id("a")): {Offset: 1000},
			topology.NodeID(id("b")): {Linked: true, PongReceivedMillis: 1700, Offset: 900},
			topology.NodeID(id("c")): {Linked: true, PongReceivedMillis: 1800},
			topology.NodeID(id("d")): {Failed: true, PingSentMillis: 1600, PongReceivedMillis: 1500},
		},
	}}
	deps := Deps{Control: r.control, Keyspace: ks, Config: r.config, SlotUse: func(s slots.Slot) (SlotUse, bool) {
		if r.slotUse == nil {
			return SlotUse{}, false
		}
		return r.slotUse(s)
	}}
	if plain {
		deps.Control = nil
	}
	if r.table, err = command.NewTable(Specs(deps)); err != nil {
		t.Fatal(err)
	}
	return r
}

// raw returns the reply to a line as it goes over the wire.
func (r *rig) raw(line string) string {
	r.Helper()
	var args [][]byte
	for _, w := range strings.Fields(line) {
		args = append(args, []byte(w))
	}
	spec, refused := r.table.Resolve(args)
	if refused != nil {
		return "-" + refused.Error() + "\r\n"
	}
	out := resp.Writer{RESP3: r.resp3}
	c := command.Ctx{Keyspace: r.ks, Out: &out}
	c.Begin(spec, args, 0, 0)
	var mask engine.ShardMask
	if spec.ShardsFor != nil {
		mask = spec.ShardsFor(&c)
	}
	r.ks.Lock(mask)
	defer r.ks.Unlock(mask)
	c.DB = r.ks.Access(0, 1, engine.ModePrimary)
	if err := spec.Run(&c); err != nil {
		var text *resp.Error
		if !errors.As(err, &text) || len(out.Buf) > 0 {
			r.Fatalf("%s: %v after %q", line, err, out.Buf)
		}
		return "-" + text.Error() + "\r\n"
	}
	return string(out.Buf)
}

// do returns the reply to a line in the notation of show.
func (r *rig) do(line string) string {
	r.Helper()
	in := bufio.NewReader(strings.NewReader(r.raw(line)))
	s := show(in)
	if rest, _ := in.Peek(1); len(rest) > 0 {
		r.Fatalf("%s: more than one reply", line)
	}
	return s
}

func (r *rig) is(line, want string) {
	r.Helper()
	if got := r.do(line); got != want {
		r.Errorf("%s\n got %s\nwant %s", line, got, want)
	}
}

// show prints a reply: text bare, [arrays] and {maps}.
func show(in *bufio.Reader) string {
	line, err := in.ReadString('\n')
	if err != nil {
		return "(cut off)"
	}
	body := strings.TrimSuffix(line[1:], "\r\n")
	n, _ := strconv.Atoi(body)
	items := func(n int, open, end string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = show(in)
		}
		return open + strings.Join(parts, " ") + end
	}
	switch line[0] {
	case '$', '=':
		if n < 0 {
			return "nil"
		}
		text := make([]byte, n+2)
		for i := range text {
			text[i], _ = in.ReadByte()
		}
		s := string(text[:n])
		if line[0] == '=' {
			s = s[4:]
		}
		if s == "" {
			return `""`
		}
		return s
	case '*':
		return items(n, "[", "]")
	case '~':
		return items(n, "<", ">")
	case '%':
		return items(2*n, "{", "}")
	case '_':
		return "nil"
	case '-':
		return "-" + body
	default:
		return body
	}
}

func (r *rig) set(name, value string) {
	r.Helper()
	if err := r.config.Set([]config.Pair{{Name: name, Value: value}}); err != nil {
		r.Fatal(err)
	}
}
