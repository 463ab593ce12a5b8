package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/slots"
)

// bounded is a keyspace under load: strings, and one hash that is a third of it.
type bounded struct {
	k     *Keyspace
	keys  int
	stop  chan struct{}
	wait  sync.WaitGroup
	slow  atomic.Int64 // waits
	most  atomic.Int64 // longest of them, nanoseconds
	bytes atomic.Int64 // the most that the queue held
}

var boundedValue = bytes.Repeat([]byte("v"), 1000)

func newBounded(t *testing.T, keys int) *bounded {
	b := &bounded{k: newKeyspace(t, Options{Shards: 4}), keys: keys, stop: make(chan struct{})}
	b.k.Lock(b.k.AllShards())
	defer b.k.Unlock(b.k.AllShards())
	a := b.k.Access(0, testNow, ModePrimary)
	for i := range keys {
		if err := b.set(&a, i, boundedValue); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// set sets string or field i.
func (b *bounded) set(a *Access, i int, value []byte) error {
	name := strconv.AppendInt([]byte("name:"), int64(i), 10)
	if i%3 > 0 {
		return a.SetString(slots.Slot(i%64), name, value, 0)
	}
	var h Hash
	if _, err := h.Open(a, 0, []byte("hash")); err != nil {
		return err
	}
	_, err := h.Put(name, value, 0)
	return err
}

// load reads and writes, half and half, in goroutines that wait where they are asked to.
func (b *bounded) load(s *Snapshot) {
	for g := range uint64(4) {
		b.wait.Add(1)
		go func() {
			defer b.wait.Done()
			r := rand.New(rand.NewPCG(g, 1))
			a := b.k.Access(0, testNow, ModePrimary)
			for {
				select {
				case <-b.stop:
					return
				default:
				}
				if d := b.k.WriteDelay(); d > 0 {
					b.slow.Add(1)
					b.most.Store(max(b.most.Load(), int64(d)))
					time.Sleep(d)
				}
				i := r.IntN(b.keys)
				mask := b.k.Mask(slots.Slot(i%64)) | b.k.Mask(0)
				b.k.Lock(mask)
				_, _ = a.Peek(slots.Slot(i%64), []byte("name:1"))
				_ = b.set(&a, i, boundedValue[:r.IntN(1000)])
				s.queue.mu.Lock()
				b.bytes.Store(max(b.bytes.Load(), s.queue.mu.bytes))
				s.queue.mu.Unlock()
				b.k.Unlock(mask)
			}
		}()
	}
}

func (b *bounded) end() {
	close(b.stop)
	b.wait.Wait()
}

// failedOf returns why the snapshot is of no use, nil if it is.
func failedOf(s *Snapshot) error {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return s.queue.mu.failed
}

func awaitTrue(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// A file that takes nothing any more slows writers down, by 5 ms each at most, and costs
// no more memory than the bound; then the snapshot is given up.
func TestStalledFile(t *testing.T) {
	b := newBounded(t, 30_000)
	const bound = 2 << 20
	s, err := b.k.Snapshot(SnapshotOptions{DB: 0, QueueBytes: bound, Delay: true})
	if err != nil {
		t.Fatal(err)
	}
	hard := bound + b.k.UsedMemory()/20 + 1<<16
	b.load(s)
	awaitTrue(t, "given up", func() bool { return failedOf(s) != nil })
	b.end()
	var batch Batch
	if err := s.Next(&batch); !errors.Is(err, ErrSnapshotOverrun) {
		t.Errorf("the stalled snapshot: %v", err)
	}
	if n := b.bytes.Load(); n > hard || n < bound/2 {
		t.Errorf("%d bytes queued, the bound is %d", n, hard)
	}
	if b.slow.Load() == 0 || b.most.Load() > int64(5*time.Millisecond) {
		t.Errorf("%d waits, of %v at most", b.slow.Load(), time.Duration(b.most.Load()))
	}
	s.Close()
	if d := b.k.WriteDelay(); d != 0 {
		t.Errorf("writers are to wait %v when no snapshot is left", d)
	}
	if n := s.queue.mu.bytes; n != 0 {
		t.Errorf("%d bytes are counted when all is closed", n)
	}
}

func spillFile(t *testing.T) *os.File {
	f, err := os.Create(filepath.Join(t.TempDir(), "spill"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// A socket that takes nothing for a while costs a file instead of memory, and nothing of
// the cut is lost.
func TestStalledSocket(t *testing.T) {
	b := newBounded(t, 30_000)
	const bound = 2 << 20
	f := spillFile(t)
	s, err := b.k.Snapshot(SnapshotOptions{DB: 0, QueueBytes: bound, Spill: f})
	if err != nil {
		t.Fatal(err)
	}
	b.load(s)
	awaitTrue(t, "spilled", func() bool {
		st, err := f.Stat()
		return err != nil || st.Size() > 8<<20
	})
	b.end()
	if n := b.bytes.Load(); n > 2*bound {
		t.Errorf("%d bytes queued in memory, the bound is %d", n, bound)
	}
	keys, fields := 0, 0
	var batch Batch
	for {
		err := s.Next(&batch)
		if err == io.EOF {
			break
		}
		if err == nil {
			err = batch.Each(func(e Entry) error {
				if keys++; e.Type == TypeString && !bytes.Equal(e.Value, boundedValue) {
					return fmt.Errorf("%s has %d bytes", e.Key, len(e.Value))
				}
				if e.Type != TypeHash {
					return nil
				}
				return e.EachField(func(field, value []byte, _ int64) error {
					if fields++; !bytes.Equal(value, boundedValue) {
						return fmt.Errorf("field %s has %d bytes", field, len(value))
					}
					return nil
				})
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if fields != 10_000 || keys != 20_001 {
		t.Errorf("%d keys and %d fields, want 20001 and 10000", keys, fields)
	}
	s.Close()
	if n := s.queue.mu.bytes; n != 0 {
		t.Errorf("%d bytes are counted when all is closed", n)
	}
}

// brokenFile takes some bytes and then fails.
type brokenFile struct {
	SpillFile
	room int64
}

var errBroken = errors.New("broken")

func (f *brokenFile) WriteAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > f.room {
		return 0, errBroken
	}
	return f.SpillFile.WriteAt(b, off)
}

// Past the limit of its file, or where that fails, the snapshot is given up.
func TestSpillEnds(t *testing.T) {
	for name, c := range map[string]struct {
		file func(*os.File) SpillFile
		most int64
		want error
	}{
		"limit":  {func(f *os.File) SpillFile { return f }, 4 << 20, ErrSnapshotOverrun},
		"broken": {func(f *os.File) SpillFile { return &brokenFile{f, 2 << 20} }, 0, errBroken},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBounded(t, 30_000)
			f := spillFile(t)
			s, err := b.k.Snapshot(SnapshotOptions{DB: 0, QueueBytes: 2 << 20, Spill: c.file(f), SpillBytes: c.most})
			if err != nil {
				t.Fatal(err)
			}
			b.load(s)
			awaitTrue(t, "given up", func() bool { return failedOf(s) != nil })
			b.end()
			var batch Batch
			if err := s.Next(&batch); !errors.Is(err, c.want) {
				t.Errorf("Next: %v, want %v", err, c.want)
			}
			if st, err := f.Stat(); err != nil || c.most > 0 && st.Size() > c.most {
				t.Errorf("the file has %d bytes (%v), the limit is %d", st.Size(), err, c.most)
			}
			s.Close()
			if d := b.k.WriteDelay(); d != 0 {
				t.Errorf("writers are to wait %v when no snapshot is left", d)
			}
		})
	}
}

// bigCollection makes a collection of n elements and returns a write to one of them.
func bigCollection(t *testing.T, k *Keyspace, typ Type, n int) (write func(i int)) {
	a := k.Access(0, testNow, ModePrimary)
	key := []byte(typ.String())
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	write = func(i int) {
		elem := strconv.AppendInt([]byte("element:"), int64(i), 10)
		switch typ {
		case TypeHash:
			var h Hash
			_, err := h.Open(&a, 0, key)
			check(err)
			_, err = h.Put(elem, elem[:i%9], 0)
			check(err)
		case TypeSet:
			var x Set
			_, err := x.Open(&a, 0, key)
			check(err)
			_, err = x.Add(elem)
			check(err)
		case TypeZSet:
			var z ZSet
			_, err := z.Open(&a, 0, key)
			check(err)
			_, _, err = z.Add(elem, float64(i%1000), 0)
			check(err)
		case TypeList:
			var l List
			_, err := l.Open(&a, 0, key)
			check(err)
			check(l.Push(i%2 == 0, elem))
		case TypeStream:
			var x Stream
			found, err := x.Open(&a, 0, key)
			check(err)
			if !found {
				check(x.Make())
			}
			s := x.Edit()
			id := stream.ID{Ms: 1, Seq: s.Last.Seq + 1}
			check(s.Append(id, [][]byte{[]byte("f"), elem}, x.StreamLimits()))
			g, _, err := s.CreateGroup([]byte("group"), stream.ID{}, 0)
			check(err)
			c, _, err := g.CreateConsumer(strconv.AppendInt(nil, int64(i%10), 10), testNow)
			check(err)
			check(g.Deliver(id, c, testNow, 1))
		}
	}
	for i := range n {
		write(i)
	}
	return write
}

// Nothing that a snapshot makes a writer or its own user do holds a shard for long,
// however big a collection is.
func TestHoldsAreShort(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	for _, typ := range []Type{TypeHash, TypeSet, TypeZSet, TypeList, TypeStream} {
		k := newKeyspace(t, Options{Shards: 1})
		k.Lock(1)
		write := bigCollection(t, k, typ, n)
		k.Unlock(1)
		best := map[string]time.Duration{}
		measure := func(what string, worst map[string]time.Duration, f func()) {
			k.Lock(1)
			begin := clock.Mono()
			f()
			took := time.Duration(clock.Mono() - begin)
			k.Unlock(1)
			worst[what] = max(worst[what], took)
		}
		// The machine may stop anything for a while: the best of some tries tells.
		for try := range 4 {
			worst := map[string]time.Duration{}
			a := k.Access(0, testNow, ModePrimary)
			s, err := k.Snapshot(SnapshotOptions{DB: 0})
			if err != nil {
				t.Fatal(err)
			}
			if try%2 == 0 { // else the walker pins it
				measure("first write", worst, func() { write(try) })
			}
			var b Batch
			if err := s.Next(&b); err != nil {
				t.Fatal(err)
			}
			pieces := 0
			err = b.Each(func(e Entry) error {
				pin := e.parts.from
				if pin == nil {
					return errors.New("it is not pinned")
				}
				p := piece{buf: make([]byte, 0, 2*pieceBytes)}
				for done := false; !done; pieces++ {
					p.buf = p.buf[:0]
					measure("read", worst, func() { done, err = pin.past.stepLocked(&p) })
					if err != nil {
						return err
					}
					if len(p.buf) > pieceBytes+pieceBytes/2 {
						t.Errorf("%v: %d bytes in one hold", typ, len(p.buf))
					}
					measure("write", worst, func() { write(pieces % n) })
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			measure("rename", worst, func() { _ = a.Rename(0, []byte(typ.String()), 0, []byte("renamed")) })
			measure("rename back", worst, func() { _ = a.Rename(0, []byte("renamed"), 0, []byte(typ.String())) })
			begin := clock.Mono()
			s.Close()
			worst["close"] = time.Duration(clock.Mono() - begin)
			for what, took := range worst {
				if had, ok := best[what]; !ok || took < had {
					best[what] = took
				}
			}
			if pieces < n/20_000 {
				t.Errorf("%v: read in %d holds", typ, pieces)
			}
		}
		s, err := k.Snapshot(SnapshotOptions{DB: 0})
		if err != nil {
			t.Fatal(err)
		}
		a := k.Access(0, testNow, ModePrimary)
		measure("delete", best, func() { a.Delete(0, []byte(typ.String())) })
		s.Close()
		t.Logf("%v of %d: %v", typ, n, best)
		for what, took := range best {
			if took > 20*time.Millisecond {
				t.Errorf("%v: %s holds the shard for %v", typ, what, took)
			}
		}
	}
}

// What only a snapshot still reads is not held against maxmemory: otherwise evicting a big
// collection would not help, and all would go.
func TestEvictionUnderSnapshot(t *testing.T) {
	k := newKeyspace(t, Options{Shards: 2})
	k.SetLimits(collectionLimits)
	k.Lock(k.AllShards())
	a := k.Access(0, testNow, ModePrimary)
	const keys = 40
	for i := range keys {
		for j := range 2000 {
			var l List
			if _, err := l.Open(&a, slots.Slot(i), fmt.Append(nil, "list", i)); err != nil {
				t.Fatal(err)
			}
			if err := l.PushTail(fmt.Append(nil, "element:", j)); err != nil {
				t.Fatal(err)
			}
		}
	}
	k.Unlock(k.AllShards())
	s, err := k.Snapshot(SnapshotOptions{DB: 0})
	if err != nil {
		t.Fatal(err)
	}
	used := k.UsedMemory()
	set := k.Eviction()
	set.Policy, set.LimitBytes = AllKeysRandom, used/2
	k.SetEviction(set)
	awaitTrue(t, "room", func() bool { return k.MakeRoom(testNow, time.Second) == RoomEnough })
	if n := k.Len(0); n < keys/4 || n > keys*3/4 {
		t.Errorf("%d keys of %d are left at half the memory", n, keys)
	}
	if got := k.UsedMemory(); got < used/10*9 {
		t.Errorf("%d bytes used, %d at the cut, which is still to be read", got, used)
	}
	seen := 0
	var b Batch
	for s.Next(&b) == nil {
		_ = b.Each(func(e Entry) error {
			return e.EachElement(func([]byte) error { seen++; return nil })
		})
	}
	if s.Close(); seen != keys*2000 {
		t.Errorf("%d elements of %d", seen, keys*2000)
	}
	for k.BackgroundStep(testNow, time.Second) {
	}
	if n := k.eviction.kept.Load(); n != 0 || k.CountedBytes() > used/2 {
		t.Errorf("%d bytes kept, %d counted", n, k.CountedBytes())
	}
}

// Where no space is left to keep a collection as it was, writers go on and the snapshot
// says so. Nothing is lost or left behind.
func TestPinsWithoutSpace(t *testing.T) {
	for _, typ := range []Type{TypeList, TypeStream} {
		k := newKeyspace(t, Options{Shards: 1, ShardBytes: 16 << 20})
		k.Lock(1)
		bigCollection(t, k, typ, 20_000)
		k.Unlock(1)
		older, err := k.Snapshot(SnapshotOptions{DB: 0})
		if err != nil {
			t.Fatal(err)
		}
		newer, err := k.Snapshot(SnapshotOptions{DB: 0})
		if err != nil {
			t.Fatal(err)
		}
		k.Lock(1)
		a := k.Access(0, testNow, ModePrimary)
		// Filled up, from large to small, so that not even the shortest block is left.
		filler := bytes.Repeat([]byte("f"), 1<<20)
		for n, i := len(filler), 0; n > 0; i++ {
			if err := a.SetRaw(0, fmt.Append(nil, "filler", i), filler[:n], 0); err != nil {
				n /= 2
			}
		}
		switch typ {
		case TypeList:
			for i := range 2000 {
				var l List
				if _, err := l.Open(&a, 0, []byte("list")); err != nil {
					t.Fatal(err)
				}
				if err := l.Set(i*7, []byte("element:1")); err != nil {
					t.Fatal(err)
				}
			}
		case TypeStream:
			var x Stream
			if _, err := x.Open(&a, 0, []byte("stream")); err != nil {
				t.Fatal(err)
			}
			s := x.Edit()
			for i := range uint64(2000) {
				if _, err := s.Delete(stream.ID{Ms: 1, Seq: 1 + i*3}); err != nil {
					t.Fatal(err)
				}
			}
		}
		k.Unlock(1)
		for name, s := range map[string]*Snapshot{"older": older, "newer": newer} {
			err := error(nil)
			var b Batch
			for err == nil {
				if err = s.Next(&b); err == nil {
					err = b.Each(func(e Entry) error {
						if e.Type != typ {
							return nil
						}
						_, err := textOf(&e, func() {})
						return err
					})
				}
			}
			if !errors.Is(err, ErrNoSpace) {
				t.Errorf("%v: the %s snapshot ends with %v", typ, name, err)
			}
			s.Close()
		}
		if err := k.checkInvariants(); err != nil {
			t.Error(err)
		}
		k.Lock(1)
		k.FlushAll()
		k.Unlock(1)
		for k.BackgroundStep(testNow, time.Second) {
		}
		if used := k.UsedMemory(); used != 0 {
			t.Errorf("%v: %d bytes leaked", typ, used)
		}
	}
}
