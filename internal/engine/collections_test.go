package engine

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/slots"
)

// collections runs big collections through everything that may happen to them while up to
// three snapshots are live, and holds each snapshot against what an Entry of every key
// said at its cut. Writers go on between the elements of a collection that is being read.
type collections struct {
	k     *Keyspace
	r     *rand.Rand
	now   int64
	snaps []*collectionsCut
	depth int
	// tamper, if not nil, is called once for each pin in turn until it says that it has
	// left out a hand-over.
	tamper   func(pin *rootPin) bool
	tampered bool
}

type collectionsCut struct {
	s    *Snapshot
	b    Batch
	busy bool
	want map[modelKey]string
	seen map[modelKey]bool
}

// collectionLimits have values rooted early.
var collectionLimits = Limits{HashEntries: 4, HashValue: 16, ListSize: 8, SetIntset: 4, SetEntries: 4, SetValue: 16, ZSetEntries: 4, ZSetValue: 16, StreamNodeEntries: 10, StreamNodeBytes: 4096}

func newCollections(seed uint64) *collections {
	c := &collections{r: rand.New(rand.NewPCG(seed, 7)), now: 1_700_000_000_000}
	k, err := New(Options{Shards: 2, Databases: 2, Seed: seed})
	if err != nil {
		panic(err)
	}
	k.SetLimits(collectionLimits)
	k.stride = stride{bytes: 100 << c.r.IntN(10), chains: 1 << c.r.IntN(8), roots: 1 + c.r.IntN(3)}
	c.k = k
	return c
}

// textOf writes down all of e but the access clock, elements sorted where they have no
// order. between is called between elements.
func textOf(e *Entry, between func()) (string, error) {
	var lines []string
	add := func(format string, args ...any) error {
		lines = append(lines, fmt.Sprintf(format, args...))
		between()
		return nil
	}
	var err error
	n := e.Len()
	switch e.Type {
	case TypeString:
		err = add("%s", e.Value)
	case TypeList:
		err = e.EachElement(func(elem []byte) error { return add("%s", elem) })
	case TypeHash:
		near := e.NearestExpiry()
		err = e.EachField(func(field, value []byte, at int64) error { return add("%s=%s@%d", field, value, at) })
		slices.Sort(lines)
		_ = add("nearest %d", near)
		n++
	case TypeSet:
		err = e.EachMember(func(member []byte) error { return add("%s", member) })
		slices.Sort(lines)
	case TypeZSet:
		err = e.EachScored(func(member []byte, score float64) error { return add("%s=%v", member, score) })
		slices.Sort(lines)
	case TypeStream:
		err = describeStream(e, add)
		n = len(lines)
	}
	if err == nil && e.Rooted() && n != len(lines) {
		err = fmt.Errorf("%s has %d elements, said %d", e.Key, len(lines), n)
	}
	return fmt.Sprintf("%v %v %d\n%s", e.Type, e.Encoding, e.ExpireAt, strings.Join(lines, "\n")), err
}

func describeStream(e *Entry, add func(format string, args ...any) error) error {
	x := e.Stream()
	nodes, groups := 0, 0
	_ = add("%+v", x.Counters)
	err := x.EachNode(func(master stream.ID, lp []byte) error {
		nodes++
		live, deleted, last, err := stream.Validate(master, lp)
		_ = add("node %v %d %d %v %x", master, live, deleted, last, lp)
		return err
	})
	if err != nil {
		return err
	}
	err = x.EachGroup(func(g EntryGroup) error {
		groups++
		_ = add("group %s %v %d", g.Name, g.Last, g.Read)
		pending := 0
		err := g.EachPending(func(id stream.ID, at int64, n uint64, _ int) error {
			pending++
			return add("  %v %d %d", id, at, n)
		})
		if err == nil && pending != g.Pending {
			err = fmt.Errorf("%d pending, said %d", pending, g.Pending)
		}
		if err != nil {
			return err
		}
		return g.EachConsumer(func(c EntryConsumer) error {
			_ = add("  consumer %s %d %d", c.Name, c.Seen, c.Active)
			owned := 0
			err := c.EachPending(func(id stream.ID) error {
				owned++
				return add("    %v", id)
			})
			if err == nil && owned != c.Pending {
				err = fmt.Errorf("%d owned, said %d", owned, c.Pending)
			}
			return err
		})
	})
	if err == nil && (nodes != x.Nodes || groups != x.Groups) {
		err = fmt.Errorf("%d nodes and %d groups, said %d and %d", nodes, groups, x.Nodes, x.Groups)
	}
	return err
}

// contents returns what an Entry of every key says. REQUIRES: all shards.
func (c *collections) contents() (map[modelKey]string, error) {
	out := map[modelKey]string{}
	var b Batch
	for db := range c.k.Databases() {
		a := c.k.Access(db, c.now, ModeApply)
		for s := range slots.Slot(6) {
			var keys []string
			a.SlotKeys(s, c.k.SlotLen(db, s), func(key []byte) { keys = append(keys, string(key)) })
			for _, key := range keys {
				e, ok := a.Entry(s, []byte(key), &b)
				if !ok {
					continue
				}
				text, err := textOf(&e, func() {})
				if err != nil {
					return nil, err
				}
				out[modelKey{db, s, key}] = text
			}
		}
	}
	return out, nil
}

var collectionNames = [...]string{"list", "hash", "set", "zset", "stream"}

// anyKey returns a key whose type its name tells, and its slot.
func (c *collections) anyKey() (slots.Slot, []byte) {
	return slots.Slot(c.r.IntN(6)), []byte(collectionNames[c.r.IntN(len(collectionNames))] + strconv.Itoa(c.r.IntN(2)))
}

func (c *collections) locked(f func() error, of ...slots.Slot) error {
	var m ShardMask
	for _, s := range of {
		m |= c.k.Mask(s)
	}
	c.k.Lock(m)
	defer c.k.Unlock(m)
	return f()
}

func (c *collections) step() error {
	db := c.r.IntN(c.k.Databases())
	a := c.k.Access(db, c.now, ModePrimary)
	s, key := c.anyKey()
	all := c.k.AllShards()
	switch op := c.r.IntN(100); {
	case op < 50:
		return c.locked(func() error { return c.change(&a, s, key) }, s)
	case op < 54:
		return c.locked(func() error { a.Delete(s, key); return nil }, s)
	case op < 60:
		to := slots.Slot(c.r.IntN(6))
		return c.locked(func() error {
			switch c.r.IntN(3) {
			case 0:
				return a.Rename(s, key, to, key)
			case 1:
				return a.Copy(s, key, c.r.IntN(2), to, key)
			}
			return a.Move(s, key, c.r.IntN(2))
		}, s, to)
	case op < 62:
		return c.locked(func() error { return a.SetString(s, key, []byte("over"), 0) }, s)
	case op < 66:
		return c.locked(func() error {
			_, err := a.SetExpireAt(s, key, []int64{0, c.now + int64(c.r.IntN(3000))}[c.r.IntN(2)])
			return err
		}, s)
	case op < 69:
		c.now += int64(c.r.IntN(500))
		c.k.ExpireStep(c.now, time.Second)
	case op < 74:
		c.k.BackgroundStep(c.now, time.Millisecond)
	case op < 75:
		c.k.DefragStep(100, time.Millisecond)
	case op < 76:
		c.k.Lock(all)
		defer c.k.Unlock(all)
		switch c.r.IntN(4) {
		case 0:
			c.k.FlushAll()
		case 1:
			c.k.SwapDB(0, 1)
		case 2:
			c.k.DropSlot(db, s)
		default:
			staged := c.k.Access(c.k.StagingDB(), c.now, ModeApply)
			if err := c.change(&staged, s, key); err != nil {
				return err
			}
			c.k.AttachStaged(s)
		}
	case op < 82:
		if len(c.snaps) < 3 {
			return c.cut()
		}
	default:
		if n := len(c.snaps); n > 0 {
			return c.pull(c.r.IntN(n))
		}
	}
	return nil
}

// change changes a collection: some elements at random, or so many that its table grows
// or shrinks in steps.
func (c *collections) change(a *Access, s slots.Slot, key []byte) error {
	n, add, space := 1+c.r.IntN(8), c.r.IntN(2) == 0, 600
	if c.r.IntN(8) == 0 {
		n = c.r.IntN(900)
	}
	elem := func() []byte {
		return strconv.AppendInt([]byte("element:"), int64(c.r.IntN(space)), 10)
	}
	switch key[0] {
	case 'l':
		return c.changeList(a, s, key, n, add, elem)
	case 'h':
		for range n {
			var h Hash
			if _, err := h.Open(a, s, key); err != nil {
				return ignoreType(err)
			}
			switch {
			case !add:
				h.Delete(elem())
			case c.r.IntN(200) == 0:
				if _, err := h.Put(elem(), make([]byte, 40_000), 0); err != nil {
					return err
				}
			default:
				at := []int64{0, KeepTTL, c.now + int64(c.r.IntN(5000))}[c.r.IntN(3)]
				if _, err := h.Put(elem(), elem()[:c.r.IntN(9)], at); err != nil {
					return err
				}
			}
		}
	case 'z':
		for range n {
			var z ZSet
			if _, err := z.Open(a, s, key); err != nil {
				return ignoreType(err)
			}
			if !add {
				z.Remove(elem())
			} else if _, _, err := z.Add(elem(), float64(c.r.IntN(50)), 0); err != nil {
				return err
			}
		}
	case 's':
		if key[1] == 't' {
			return c.changeStream(a, s, key, n, add)
		}
		for range n {
			var x Set
			if _, err := x.Open(a, s, key); err != nil {
				return ignoreType(err)
			}
			if !add {
				x.Remove(elem())
			} else if _, err := x.Add(elem()); err != nil {
				return err
			}
		}
	}
	return nil
}

// ignoreType has a key that was overwritten by a string left alone.
func ignoreType(err error) error {
	if errors.Is(err, ErrWrongType) {
		return nil
	}
	return err
}

func (c *collections) changeList(a *Access, s slots.Slot, key []byte, n int, add bool, elem func() []byte) error {
	for range n {
		var l List
		if _, err := l.Open(a, s, key); err != nil {
			return ignoreType(err)
		}
		var err error
		switch op := c.r.IntN(12); {
		case add && op < 6:
			e := elem()
			if op == 5 && c.r.IntN(20) == 0 {
				e = make([]byte, 40_000)
			}
			err = l.Push(op%2 == 0, e)
		case l.Len() == 0:
		case op < 5:
			l.Pop(op%2 == 0)
		case op == 6:
			_, err = l.Insert(elem(), c.r.IntN(2) == 0, elem())
		case op == 7:
			err = l.Set(c.r.IntN(l.Len()), elem())
		case op == 8:
			from := c.r.IntN(l.Len())
			l.Delete(from, c.r.IntN(min(20, l.Len()-from)+1))
		case op == 9:
			err = l.Rotate(c.r.IntN(2) == 0)
		case op == 10:
			l.DeleteEqual(elem(), 1+c.r.IntN(3), c.r.IntN(2) == 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *collections) changeStream(a *Access, at slots.Slot, key []byte, n int, add bool) error {
	var x Stream
	found, err := x.Open(a, at, key)
	if err == nil && !found {
		err = x.Make()
	}
	if err != nil {
		return ignoreType(err)
	}
	s := x.Edit()
	pick := func() stream.ID { return stream.ID{Ms: 1, Seq: 1 + c.r.Uint64N(s.Last.Seq+1)} }
	for range n {
		group := fmt.Appendf(nil, "group%d", c.r.IntN(3))
		consumer := fmt.Appendf(nil, "consumer%d", c.r.IntN(4))
		op := c.r.IntN(20)
		if c.tampered { // nothing is freed: the fault shall show as wrong contents
			add, op = true, []int{2, 13, 18}[op%3]
		}
		switch {
		case add && op < 8:
			size := c.r.IntN(60)
			if c.r.IntN(100) == 0 {
				size = 40_000
			}
			err = s.Append(stream.ID{Ms: 1, Seq: s.Last.Seq + 1}, [][]byte{[]byte("f"), make([]byte, size)}, x.StreamLimits())
		case op < 10:
			_, err = s.Delete(pick())
		case op == 10 && c.r.IntN(4) == 0:
			_, _, err = s.Trim(stream.Trim{MaxLen: int64(s.Len() * 3 / 4), Approx: c.r.IntN(2) == 0})
		case op == 11 && c.r.IntN(20) == 0:
			s.DestroyGroup(group)
		default:
			err = c.changeGroup(s, group, consumer, pick, op)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *collections) changeGroup(s stream.Stream, group, consumer []byte, pick func() stream.ID, op int) error {
	g, _, err := s.CreateGroup(group, stream.ID{}, 0)
	if err != nil {
		return err
	}
	if op == 12 && c.r.IntN(20) == 0 {
		g.DeleteConsumer(consumer)
		return nil
	}
	x, _, err := g.CreateConsumer(consumer, c.now)
	if err != nil {
		return err
	}
	switch {
	case op < 15:
		return g.Deliver(pick(), x, c.now, c.r.Uint64N(5))
	case op < 18:
		g.Ack(pick())
	case op == 18:
		g.Advance(pick(), int64(c.r.IntN(100)))
	default:
		x.SetSeen(c.now)
		x.SetActive(c.now + 1)
	}
	return nil
}

func (c *collections) cut() (err error) {
	m := &collectionsCut{seen: map[modelKey]bool{}}
	var failed error
	m.s, err = c.k.Snapshot(SnapshotOptions{DB: -1, AtCut: func() { m.want, failed = c.contents() }})
	c.snaps = append(c.snaps, m)
	return errors.Join(err, failed)
}

// pull takes a batch of snapshot i and holds it against the cut, while writers go on.
func (c *collections) pull(i int) error {
	m := c.snaps[i]
	if m.busy {
		return nil
	}
	m.busy = true
	defer func() { m.busy = false }()
	err := m.s.Next(&m.b)
	if err == nil && c.r.IntN(100) > 0 {
		err = m.b.Each(func(e Entry) error { return c.hold(m, &e) })
		if err == nil {
			return nil
		}
	} else if err == nil {
		err = io.ErrUnexpectedEOF // given up early
	}
	m.s.Close()
	c.snaps = slices.DeleteFunc(c.snaps, func(x *collectionsCut) bool { return x == m })
	switch err {
	case io.ErrUnexpectedEOF:
		return nil
	case io.EOF:
		for mk := range m.want {
			if !m.seen[mk] {
				return fmt.Errorf("snapshot lacks %v", mk)
			}
		}
		return nil
	}
	return err
}

func (c *collections) hold(m *collectionsCut, e *Entry) error {
	mk := modelKey{e.DB, e.Slot, string(e.Key)}
	var inner error
	tampered := c.tamper != nil && !c.tampered && e.parts.from != nil && c.tamper(e.parts.from)
	c.tampered = c.tampered || tampered
	got, err := textOf(e, func() {
		rarely := 40
		if tampered {
			rarely = 3
		}
		if inner != nil || c.depth == 2 || c.r.IntN(rarely) > 0 {
			return
		}
		c.depth++
		if !tampered && c.r.IntN(2) == 0 {
			inner = c.step()
		} else {
			a := c.k.Access(e.DB, c.now, ModePrimary)
			inner = c.locked(func() error { return c.change(&a, mk.slot, []byte(mk.key)) }, mk.slot)
		}
		c.depth--
	})
	want, ok := m.want[mk]
	switch {
	case inner != nil:
		return inner
	case err != nil:
		return fmt.Errorf("%v: %w", mk, err)
	case m.seen[mk]:
		return fmt.Errorf("snapshot gave %v twice", mk)
	case !ok:
		return fmt.Errorf("snapshot gave %v, which was not there at the cut", mk)
	case got != want:
		return fmt.Errorf("snapshot gave %v as\n%.600s\nat the cut\n%.600s", mk, got, want)
	}
	m.seen[mk] = true
	return nil
}

// end finishes the snapshots, empties the keyspace and looks for leaks.
func (c *collections) end() error {
	c.depth = 2
	for len(c.snaps) > 0 {
		if err := c.pull(0); err != nil {
			return err
		}
	}
	c.depth = 0
	for i := range c.k.shards {
		if n := len(c.k.shards[i].pinned); n > 0 {
			return fmt.Errorf("%d roots of shard %d are pinned still", n, i)
		}
	}
	if err := c.k.checkInvariants(); err != nil {
		return err
	}
	c.k.Lock(c.k.AllShards())
	c.k.FlushAll()
	c.k.Flush(c.k.StagingDB())
	c.k.Unlock(c.k.AllShards())
	for c.k.BackgroundStep(c.now, time.Second) {
	}
	if n := c.k.PendingFrees(); n > 0 {
		return fmt.Errorf("%d values wait to be freed", n)
	}
	if kept := c.k.eviction.kept.Load(); kept != 0 {
		return fmt.Errorf("%d bytes count as kept", kept)
	}
	if used := c.k.UsedMemory(); used != 0 {
		return fmt.Errorf("%d bytes leaked", used)
	}
	c.k.Close()
	return nil
}

func runCollections(seed uint64, steps int, tamper func(*rootPin) bool) (tampered bool, err error) {
	c := newCollections(seed)
	c.tamper = tamper
	defer func() {
		// A fault may show as a read of freed memory.
		if c.tampered {
			if p := recover(); p != nil {
				tampered, err = true, fmt.Errorf("panic: %v", p)
			}
		}
	}()
	for i := range steps {
		if err := c.step(); err != nil {
			return c.tampered, fmt.Errorf("step %d: %w", i, err)
		}
	}
	return c.tampered, c.end()
}

// Snapshots have each collection as it was at the cut, whatever is done to it meanwhile.
func TestCollectionHistories(t *testing.T) {
	for seed := range seeds(32) {
		if _, err := runCollections(seed, 1000, nil); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// Leaving out a single hand-over is found out.
func TestCollectionHistoriesFindFaults(t *testing.T) {
	faults := map[string]func(pin *rootPin) bool{
		"chain of a table": func(pin *rootPin) bool {
			p, ok := pin.past.(*tablePast)
			if !ok {
				return false
			}
			for i := range p.marks.arrays {
				x := &p.marks.arrays[i]
				for b := range x.Buckets {
					var elements piece
					if x.Uses(b) && (x.bits == nil || !x.bits.has(b)) {
						elements.borrow = true
						elements.addElements(pin.of.sh, x.Ref, b)
					}
					if len(elements.buf) > 0 {
						return x.take(b)
					}
				}
			}
			return false
		},
		"array of a list's nodes": func(pin *rootPin) bool {
			p, ok := pin.past.(*listPast)
			if !ok || p.detached || pin.of.orphan || len(pin.of.pins) > 1 {
				return false
			}
			p.detached = true
			return true
		},
		"notes of a stream": func(pin *rootPin) bool {
			if pin.of.typ != TypeStream || pin.of.orphan || len(pin.of.pins) > 1 {
				return false
			}
			pin.of.pasts = stream.Pasts{}
			return true
		},
	}
	for name, fault := range faults {
		found := false
		for seed := uint64(0); seed < 40 && !found; seed++ {
			tampered, err := runCollections(seed, 500, fault)
			if !tampered && err != nil {
				t.Fatalf("%s, seed %d: %v", name, seed, err)
			}
			// A leak alone is not what is looked for.
			if found = err != nil && !strings.Contains(err.Error(), "leaked"); found {
				t.Logf("%s: seed %d: %.100v", name, seed, err)
			}
		}
		if !found {
			t.Errorf("%s: not found out", name)
		}
	}
}
