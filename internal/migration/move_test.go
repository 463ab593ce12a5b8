package migration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

// model is what clients know: the value and expiry of every key they have written.
type model struct {
	mu   sync.Mutex
	keys map[string]modelValue
}

type modelValue struct {
	value    string
	expireAt int64
}

func (m *model) set(key, value string, expireAt int64) {
	m.mu.Lock()
	m.keys[key] = modelValue{value, expireAt}
	m.mu.Unlock()
}

// load writes n keys to node, every fifth with an expiry.
func load(t testing.TB, node *testNode, n int) *model {
	t.Helper()
	m := &model{keys: map[string]modelValue{}}
	at := clock.WallMillis() + 3_600_000
	for i := range n {
		key, value := fmt.Sprint("key:", i), strings.Repeat(strconv.Itoa(i), 8)
		words, expireAt := []string{"set", key, value}, int64(0)
		if i%5 == 0 {
			expireAt = at + int64(i)
			words = append(words, "pxat", fmt.Sprint(expireAt))
		}
		if _, err := node.exec(words...); err != nil {
			t.Fatal(err)
		}
		m.keys[key] = modelValue{value, expireAt}
	}
	return m
}

// writers change keys until stop, following MOVED. Each owns its keys, so what it was
// told last is what must be there.
func writers(c *testCluster, m *model, n int) (stop func() (writes int64)) {
	var wg sync.WaitGroup
	var done atomic.Bool
	var total atomic.Int64
	for w := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			rnd := rand.New(rand.NewPCG(uint64(w), 7))
			at := c.log.truth.Load().ShardByID(shardA).Primary
			counts := map[string]int{}
			for i := 0; !done.Load(); i++ {
				key := fmt.Sprintf("w%d:%d", w, rnd.IntN(2000))
				var words []string
				var value string
				expireAt := int64(0)
				switch rnd.IntN(4) {
				case 0:
					value = fmt.Sprint("v", i)
					expireAt = clock.WallMillis() + 3_600_000 + int64(i)
					words = []string{"set", key, value, "pxat", fmt.Sprint(expireAt)}
				case 1:
					words = []string{"del", key}
				default:
					value = fmt.Sprintf("%d", i)
					words = []string{"set", key, value}
				}
				for hops := 0; ; hops++ {
					reply, err := c.nodes[at].exec(words...)
					if errors.Is(err, errMoved) && hops < 10_000 {
						at = topology.NodeID(reply)
						continue
					}
					if errors.Is(err, errDown) && hops < 10_000 && c.ctx.Err() == nil {
						at = c.log.truth.Load().Owner(slots.Of([]byte(key))).Primary
						time.Sleep(100 * time.Microsecond)
						continue
					}
					if err != nil {
						c.t.Errorf("writer %d: %v: %v", w, words, err)
						return
					}
					break
				}
				counts[key]++
				total.Add(1)
				m.mu.Lock()
				if words[0] == "del" {
					delete(m.keys, key)
				} else {
					m.keys[key] = modelValue{value, expireAt}
				}
				m.mu.Unlock()
				if i%16 == 0 {
					time.Sleep(50 * time.Microsecond) // leave the movers a core
				}
			}
		}()
	}
	return func() int64 {
		done.Store(true)
		wg.Wait()
		return total.Load()
	}
}

// dump reads a node's database.
func dump(n *testNode, db int) map[string]modelValue {
	out := map[string]modelValue{}
	all := n.ks.AllShards()
	n.ks.Lock(all)
	defer n.ks.Unlock(all)
	a := n.ks.Access(db, 0, engine.ModeApply)
	for slot := range slots.Slot(slots.Count) {
		var names []string
		a.SlotKeys(slot, n.ks.SlotLen(db, slot), func(key []byte) { names = append(names, string(key)) })
		for _, name := range names {
			r, ok := a.Peek(slot, []byte(name))
			if !ok {
				continue
			}
			out[name] = modelValue{string(r.Append(nil)), r.ExpireAt()}
		}
	}
	return out
}

// verify compares the model with where each key must be: on the shard that owns its slot
// and nowhere else.
func (m *model) verify(t testing.TB, v *topology.View, nodes map[topology.ShardID][]*testNode) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for shard, copies := range nodes {
		for _, n := range copies {
			got := dump(n, 0)
			wrong := 0
			for key, want := range m.keys {
				if v.Owner(slots.Of([]byte(key))).ID != shard {
					continue
				}
				if have, ok := got[key]; !ok || have != want {
					if wrong++; wrong < 5 {
						t.Errorf("node %s key %s is %+v (%v), want %+v", n.id[:4], key, have, ok, want)
					}
				}
				delete(got, key)
			}
			for key, have := range got {
				if wrong++; wrong < 10 {
					t.Errorf("node %s has %s = %+v, which should not be there (slot of %s)", n.id[:4], key, have, v.Owner(slots.Of([]byte(key))).ID[:1])
				}
			}
			if wrong > 0 {
				t.Errorf("node %s: %d keys wrong", n.id[:4], wrong)
			}
			if staged := dump(n, n.ks.StagingDB()); len(staged) != 0 {
				t.Errorf("node %s still has %d keys staged", n.id[:4], len(staged))
			}
			if err := n.staging.checkInvariants(); err != nil {
				t.Errorf("node %s: %v", n.id[:4], err)
			}
			if len(n.staging.all()) != 0 {
				t.Errorf("node %s still has stages", n.id[:4])
			}
			if h := n.holds.HeldAny(); h != HoldNone {
				t.Errorf("node %s still holds %v", n.id[:4], h)
			}
		}
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (c *testCluster) move(job string) *topology.Move { return c.log.truth.Load().Move(job) }

// settled waits until a job has ended everywhere and replicas have followed.
func (c *testCluster) settled(t testing.TB, job string, state topology.MoveState, nodes ...*testNode) {
	t.Helper()
	eventually(t, "the job ends "+string(state), func() bool { return c.move(job).State == state })
	for _, n := range nodes {
		eventually(t, "node "+string(n.id[:2])+" is idle", func() bool {
			n.mover.mu.Lock()
			defer n.mover.mu.Unlock()
			return len(n.mover.mu.sources)+len(n.mover.mu.targets) == 0 && n.tlog.View().Index == c.log.truth.Load().Index
		})
		eventually(t, "the replica of "+string(n.id[:2])+" follows", func() bool {
			r := n.replica.Load()
			return r == nil || r.dead.Load() || n.acks.Load() == n.elog.Offset()
		})
	}
}

func lowSlots(n int) slots.Set { return slots.SetOf(slots.Range{From: 0, To: slots.Slot(n - 1)}) }

func logStatus(t testing.TB, n *testNode) {
	for _, s := range n.mover.Status() {
		t.Logf("%s %s: %s %s, attempt %d, keys %d of %d, %d bytes, held %d us, %d holds given up, %d tries, %s", n.id[:2], s.Role, s.Phase, s.Outcome, s.Attempt, s.KeysDone, s.KeysTotal, s.BytesDone, s.HeldMicros, s.Holds, s.Tries, s.Message)
	}
}

func TestMoveUnderWriters(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	m := load(t, a1, 20_000)
	stop := writers(c, m, 4)
	began := time.Now()
	job, err := a1.mover.Begin(context.Background(), shardA, shardB, lowSlots(4000))
	if err != nil {
		t.Fatal(err)
	}
	c.settled(t, job, topology.MoveCommitted, a1, b1)
	took := time.Since(began)
	// And back, so that what was received can be sent.
	back, err := b1.mover.Begin(context.Background(), shardB, shardA, lowSlots(1000))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second job ends", func() bool { return c.move(back).State == topology.MoveCommitted })
	writes := stop()
	c.settled(t, back, topology.MoveCommitted, a1, b1)
	t.Logf("%v, %d writes meanwhile", took, writes)
	logStatus(t, a1)
	logStatus(t, b1)
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a1, a2}, shardB: {b1, b2}})
	if a1.left.Load() != 4000 || b1.left.Load() != 1000 {
		t.Errorf("%d and %d slots told to have left", a1.left.Load(), b1.left.Load())
	}
	if len(dump(b1, 0)) == 0 {
		t.Error("nothing has moved")
	}
}

// TestLeaveSparesWhatCameBack: a source that is late to drop the slots of a committed
// move finds one of them here again, by another move.
func TestLeaveSparesWhatCameBack(t *testing.T) {
	c, a1, a2, _, _ := newCluster(t)
	back, gone := slots.Of([]byte("back")), slots.Of([]byte("gone"))
	for _, key := range []string{"back", "gone"} {
		if _, err := a1.exec("set", key, "v"); err != nil {
			t.Fatal(err)
		}
	}
	left := slots.SetOf(slots.Range{From: gone, To: gone})
	job, err := a1.mover.Begin(context.Background(), shardA, shardB, left)
	if err != nil {
		t.Fatal(err)
	}
	c.settled(t, job, topology.MoveCommitted, a1)
	both := left
	both.Add(back)
	a1.mover.leaveSlots(&both)
	for _, n := range []*testNode{a1, a2} {
		eventually(t, "the slot that left is dropped", func() bool { return n.ks.SlotLen(0, gone) == 0 })
		if got := n.ks.SlotLen(0, back); got != 1 {
			t.Errorf("node %.1s has %d keys in the slot that came back, want 1", n.id, got)
		}
	}
}

func TestCancelMidway(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	m := load(t, a1, 5000)
	a1.rate.Store(100 << 10)
	stop := writers(c, m, 2)
	job, err := b1.mover.Begin(context.Background(), shardA, shardB, slots.All())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "some keys are staged", func() bool { return b1.ks.Len(b1.ks.StagingDB()) > 100 })
	if b1.ks.Len(0) != 0 {
		t.Error("staged keys are visible")
	}
	if err := b2.mover.Cancel(context.Background(), job); err != nil {
		t.Fatal(err)
	}
	stop()
	c.settled(t, job, topology.MoveAborted, a1, b1)
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a1, a2}, shardB: {b1, b2}})
	if err := a1.mover.Cancel(context.Background(), job); !errors.Is(err, topology.ErrUnknownMove) {
		t.Errorf("cancelled twice: %v", err)
	}
	if got := a1.mover.Status()[0].Outcome; got != "cancelled" {
		t.Errorf("outcome %q", got)
	}
}

// fail kills a node and promotes its replica.
func (c *testCluster) failover(shard topology.ShardID, dead, heir *testNode) {
	dead.stop()
	term := c.log.truth.Load().ShardByID(shard).Term
	c.log.must(topology.Promote{Shard: shard, Term: term, Candidate: heir.id, Run: heir.run, Mode: topology.PromoteForce})
}

func TestTargetDiesMidway(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	m := load(t, a1, 5000)
	a1.rate.Store(200 << 10)
	stop := writers(c, m, 2)
	job, err := a1.mover.Begin(context.Background(), shardA, shardB, lowSlots(8000))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "some keys are staged at the replica", func() bool { return b2.ks.Len(b2.ks.StagingDB()) > 100 })
	c.failover(shardB, b1, b2)
	a1.rate.Store(0)
	eventually(t, "the job is committed", func() bool { return c.move(job).State == topology.MoveCommitted })
	stop()
	c.settled(t, job, topology.MoveCommitted, a1, b2)
	if got := c.move(job).Attempt; got != 2 {
		t.Errorf("attempt %d has won", got)
	}
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a1, a2}, shardB: {b2}})
}

// The target dies when CommitMove is in the log but it has not attached anything: its
// replica has everything and attaches before it serves.
func TestTargetDiesBetweenCommitAndAttach(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	committed := make(chan struct{})
	stuck := make(chan struct{})
	b1.tlog.gate = func(v *topology.View) {
		for i := range v.Moves {
			if v.Moves[i].State == topology.MoveCommitted {
				close(committed)
				<-stuck
			}
		}
	}
	m := load(t, a1, 3000)
	job, err := a1.mover.Begin(context.Background(), shardA, shardB, lowSlots(8000))
	if err != nil {
		t.Fatal(err)
	}
	<-committed
	go func() { // its loops end when the node is stopped
		<-b1.ended
		close(stuck)
	}()
	c.failover(shardB, b1, b2)
	c.settled(t, job, topology.MoveCommitted, a1, b2)
	eventually(t, "the heir has attached", func() bool { return len(b2.staging.all()) == 0 })
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a1, a2}, shardB: {b2}})
}

func TestSourceDiesMidway(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	m := load(t, a1, 5000)
	a1.rate.Store(100 << 10)
	job, err := a1.mover.Begin(context.Background(), shardA, shardB, lowSlots(8000))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "some keys are staged", func() bool { return b1.ks.Len(b1.ks.StagingDB()) > 100 })
	eventually(t, "the source's replica follows", func() bool { return a1.acks.Load() == a1.elog.Offset() })
	c.failover(shardA, a1, a2)
	stop := writers(c, m, 2)
	c.settled(t, job, topology.MoveCommitted, a2, b1)
	stop()
	c.settled(t, job, topology.MoveCommitted, a2, b1)
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a2}, shardB: {b1, b2}})
}

// The source dies when CommitMove is in the log but it has not dropped the slots: its
// heir does.
func TestSourceDiesBetweenCommitAndLeave(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	committed := make(chan struct{})
	stuck := make(chan struct{})
	a1.tlog.gate = func(v *topology.View) {
		for i := range v.Moves {
			if v.Moves[i].State == topology.MoveCommitted {
				close(committed)
				<-stuck
			}
		}
	}
	m := load(t, a1, 3000)
	job, err := b1.mover.Begin(context.Background(), shardA, shardB, lowSlots(8000))
	if err != nil {
		t.Fatal(err)
	}
	<-committed
	go func() {
		<-a1.ended
		close(stuck)
	}()
	eventually(t, "the source's replica follows", func() bool { return a1.acks.Load() == a1.elog.Offset() })
	c.failover(shardA, a1, a2)
	c.settled(t, job, topology.MoveCommitted, a2, b1)
	left := lowSlots(8000)
	eventually(t, "the heir has dropped the slots", func() bool {
		for slot := range left.Each() {
			if a2.ks.SlotLen(0, slot) != 0 {
				return false
			}
		}
		return true
	})
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a2}, shardB: {b1, b2}})
}

// A replica that is fully synced during the attempt lacks what was staged: the attempt
// ends, and the next one brings it all.
func TestFullSyncDuringTheAttempt(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	m := load(t, a1, 3000)
	var synced atomic.Bool
	b1.confirm = func() {
		if synced.CompareAndSwap(false, true) {
			c.replicate(b1, b2)
		}
	}
	job, err := a1.mover.Begin(context.Background(), shardA, shardB, lowSlots(8000))
	if err != nil {
		t.Fatal(err)
	}
	c.settled(t, job, topology.MoveCommitted, a1, b1)
	if got := c.move(job).Attempt; got != 2 {
		t.Errorf("attempt %d has won", got)
	}
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a1, a2}, shardB: {b1, b2}})
}

// A full sync cut when CommitMove is already proposed cannot end the attempt: the
// records go to that replica again.
func TestFullSyncAfterThePropose(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	m := load(t, a1, 3000)
	c.log.refuse = func(from *nodeLog, e topology.Entry) error {
		if e.Kind() == topology.KindCommitMove {
			c.replicate(b1, b2)
		}
		return nil
	}
	job, err := a1.mover.Begin(context.Background(), shardA, shardB, lowSlots(8000))
	if err != nil {
		t.Fatal(err)
	}
	c.settled(t, job, topology.MoveCommitted, a1, b1)
	if got := c.move(job).Attempt; got != 1 {
		t.Errorf("attempt %d has won", got)
	}
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a1, a2}, shardB: {b1, b2}})
}

// A replica whose View is behind its stream must not forget what it is given.
func TestReplicaWithAnOldView(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	m := load(t, a1, 2000)
	committed, stuck, old := make(chan struct{}), make(chan struct{}), make(chan struct{})
	isCommitted := func(v *topology.View) bool { return len(v.Moves) > 0 && v.Moves[0].State == topology.MoveCommitted }
	b1.tlog.gate = func(v *topology.View) {
		if isCommitted(v) {
			close(committed)
			<-stuck
		}
	}
	b2.tlog.gate = func(v *topology.View) {
		if len(v.Moves) > 0 {
			<-old
		}
	}
	job, err := a1.mover.Begin(context.Background(), shardA, shardB, lowSlots(8000))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "something is staged at the replica", func() bool { return len(b2.staging.all()) > 0 })
	b2.mover.reconcile(context.Background(), b2.tlog.View())
	<-committed
	b2.mover.reconcile(context.Background(), b2.tlog.View())
	go func() {
		<-b1.ended
		close(stuck)
	}()
	c.failover(shardB, b1, b2)
	close(old)
	c.settled(t, job, topology.MoveCommitted, a1, b2)
	eventually(t, "the heir has attached", func() bool { return len(b2.staging.all()) == 0 })
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a1, a2}, shardB: {b2}})
}

// A full sync empties the hidden database, but the stage's name may stay: that must
// neither hold the slots for ever nor, when the replica is promoted, cost their keys.
func TestLeftoverStageAfterFullSync(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	m := load(t, a1, 2000)
	job, err := a1.mover.Begin(context.Background(), shardA, shardB, lowSlots(8000))
	if err != nil {
		t.Fatal(err)
	}
	c.settled(t, job, topology.MoveCommitted, a1, b1)
	mv := c.move(job)
	set := lowSlots(8000)
	leave := func(n *testNode) {
		all := n.ks.AllShards()
		n.ks.Lock(all)
		defer n.ks.Unlock(all)
		n.staging.begin(Tag{mv.Job, mv.Attempt, mv.SourceTerm, mv.TargetTerm}, "9.9", &set)
	}
	leave(b2)
	eventually(t, "the replica lets go", func() bool { return len(b2.staging.all()) == 0 })
	leave(b2)
	c.failover(shardB, b1, b2)
	c.settled(t, job, topology.MoveCommitted, b2)
	eventually(t, "the heir lets go", func() bool { return len(b2.staging.all()) == 0 })
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a1, a2}, shardB: {b2}})
}

// A CommitMove that the log refuses, and one whose answer is lost.
func TestCommitRefusedThenUnknown(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	m := load(t, a1, 2000)
	var seen atomic.Int32
	c.log.refuse = func(from *nodeLog, e topology.Entry) error {
		if e.Kind() != topology.KindCommitMove {
			return nil
		}
		switch seen.Add(1) {
		case 1:
			return topology.ErrRefused
		case 2:
			return errors.New("no leader")
		case 3:
			if err := from.f.apply(e); err != nil {
				t.Error(err)
			}
			return errors.New("answer lost")
		}
		return nil
	}
	stop := writers(c, m, 2)
	job, err := a1.mover.Begin(context.Background(), shardA, shardB, lowSlots(8000))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the job is committed", func() bool { return c.move(job).State == topology.MoveCommitted })
	stop()
	c.settled(t, job, topology.MoveCommitted, a1, b1)
	if got := c.move(job).Attempt; got != 2 {
		t.Errorf("attempt %d has won", got)
	}
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a1, a2}, shardB: {b1, b2}})
}

// FLUSHALL at the source empties what is staged, and nothing else at the target.
func TestFlushDuringTheMove(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	load(t, a1, 3000)
	first, err := a1.mover.Begin(context.Background(), shardA, shardB, slots.SetOf(slots.Range{From: 12000, To: 12999}))
	if err != nil {
		t.Fatal(err)
	}
	c.settled(t, first, topology.MoveCommitted, a1, b1)
	kept := dump(b1, 0)
	a1.rate.Store(150 << 10)
	job, err := a1.mover.Begin(context.Background(), shardA, shardB, lowSlots(8000))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "some keys are staged", func() bool { return b1.ks.Len(b1.ks.StagingDB()) > 100 })
	all := a1.ks.AllShards()
	spec, _ := a1.table.Resolve([][]byte{[]byte("flushall")})
	a1.ks.Lock(all)
	_, err = a1.runLocked(spec, [][]byte{[]byte("flushall")}, 0, 0)
	a1.ks.Unlock(all)
	if err != nil {
		t.Fatal(err)
	}
	a1.rate.Store(0)
	m := &model{keys: kept}
	for i := range 500 {
		key := fmt.Sprint("after:", i)
		if reply, err := a1.exec("set", key, "1"); errors.Is(err, errMoved) {
			_, err = c.nodes[topology.NodeID(reply)].exec("set", key, "1")
			if err != nil {
				t.Fatal(err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		m.set(key, "1", 0)
	}
	c.settled(t, job, topology.MoveCommitted, a1, b1)
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a1, a2}, shardB: {b1, b2}})
}

// The bar: 2,000 slots with 200,000 keys in at most 10 s while clients write.
func TestTwoThousandSlots(t *testing.T) {
	n := 200_000
	if testing.Short() {
		n = 30_000
	}
	c, a1, _, b1, b2 := newCluster(t)
	for i, have := 0, 0; have < n; i++ {
		key := fmt.Sprintf("key:%012d", i)
		if slots.Of([]byte(key)) >= 2000 {
			continue
		}
		have++
		if _, err := a1.exec("set", key, repeat("v", 64)); err != nil {
			t.Fatal(err)
		}
	}
	m := &model{keys: map[string]modelValue{}}
	stop := writers(c, m, 4)
	began := time.Now()
	job, err := a1.mover.Begin(context.Background(), shardA, shardB, lowSlots(2000))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the job is committed", func() bool { return c.move(job).State == topology.MoveCommitted })
	took := time.Since(began)
	writes := stop()
	c.settled(t, job, topology.MoveCommitted, a1, b1)
	logStatus(t, a1)
	t.Logf("%d keys in %v, %d writes meanwhile", b1.ks.Len(0), took, writes)
	if took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	if b1.ks.Len(0) != b2.ks.Len(0) || b1.ks.Len(0) < int64(n) {
		t.Errorf("%d keys at the target, %d at its replica", b1.ks.Len(0), b2.ks.Len(0))
	}
}

// slowConn sends at most so many bytes a second.
type slowConn struct {
	net.Conn
	bytesPerSecond int
}

func (c *slowConn) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(len(b)) * time.Second / time.Duration(c.bytesPerSecond))
	return c.Conn.Write(b)
}

// Writers that are faster than the connection are slowed until the job can end.
func TestBackPressureConverges(t *testing.T) {
	c, a1, a2, b1, b2 := newCluster(t)
	a1.slow = 400 << 10
	m := load(t, a1, 2000)
	stop := writers(c, m, 4)
	job, err := a1.mover.Begin(context.Background(), shardA, shardB, slots.All())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { logStatus(t, a1) }()
	eventually(t, "the job is committed", func() bool { return c.move(job).State == topology.MoveCommitted })
	writes := stop()
	c.settled(t, job, topology.MoveCommitted, a1, b1)
	t.Logf("%d writes", writes)
	m.verify(t, c.log.truth.Load(), map[topology.ShardID][]*testNode{shardA: {a1, a2}, shardB: {b1, b2}})
}
