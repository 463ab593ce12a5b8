package engine

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/slots"
)

// listModel is a list beside a slice that should be the same.
type listModel struct {
	t    *testing.T
	r    *rand.Rand
	k    *Keyspace
	a    Access
	key  []byte
	slot slots.Slot
	want []string
}

func newListModel(t *testing.T, seed uint64) *listModel {
	k := newKeyspace(t, Options{Shards: 2, Seed: seed})
	m := &listModel{t: t, r: rand.New(rand.NewPCG(seed, 7)), k: k, a: k.Access(0, 1000, ModePrimary), key: []byte("list")}
	m.slot = slots.Of(m.key)
	return m
}

func (m *listModel) open() *List {
	m.t.Helper()
	var l List
	found, err := l.Open(&m.a, m.slot, m.key)
	if err != nil || found != (len(m.want) > 0) || l.Len() != len(m.want) {
		m.t.Fatalf("found %v with %d elements, want %d (%v)", found, l.Len(), len(m.want), err)
	}
	return &l
}

func (m *listModel) elem() string {
	switch m.r.IntN(20) {
	case 0:
		return strings.Repeat("l", m.r.IntN(3000))
	case 1:
		return strings.Repeat("h", m.r.IntN(50_000))
	case 2, 3, 4, 5:
		return strconv.Itoa(m.r.IntN(4))
	}
	return strings.Repeat("s", m.r.IntN(20))
}

// do makes one random change.
func (m *listModel) do() {
	l, n, e := m.open(), len(m.want), m.elem()
	i := m.r.IntN(n + 1)
	must := func(err error) {
		if err != nil {
			m.t.Fatal(err)
		}
	}
	switch op := m.r.IntN(18); {
	case op < 2:
		elems := []string{e, m.elem(), m.elem()}[:1+m.r.IntN(3)]
		must(l.Push(op == 0, asBytes(elems)...))
		if op == 0 {
			for _, e := range elems {
				m.want = slices.Insert(m.want, 0, e)
			}
		} else {
			m.want = append(m.want, elems...)
		}
	case op == 2:
		must(l.PushHead([]byte(e)))
		m.want = slices.Insert(m.want, 0, e)
	case op == 3:
		must(l.PushTail([]byte(e)))
		m.want = append(m.want, e)
	case op < 6 && n > 0:
		if l.Pop(op == 4); op == 4 {
			m.want = m.want[1:]
		} else {
			m.want = m.want[:n-1]
		}
	case op < 8 && n > 0:
		pivot := m.want[m.r.IntN(n)]
		at := slices.Index(m.want, pivot)
		found, err := l.Insert([]byte(pivot), op == 6, []byte(e))
		if must(err); !found {
			m.t.Fatal("pivot not found")
		}
		if op == 6 {
			at++
		}
		m.want = slices.Insert(m.want, at, e)
	case op == 8:
		if found, err := l.Insert([]byte("none"), true, []byte(e)); found || err != nil {
			m.t.Fatal(found, err)
		}
	case op < 11 && i < n:
		must(l.Set(i, []byte(e)))
		m.want[i] = e
	case op == 11:
		d := min(n-i, m.r.IntN(1+m.r.IntN(60)))
		l.Delete(i, d)
		m.want = slices.Delete(m.want, i, i+d)
	case op < 14 && n > 0:
		m.deleteEqual(l, m.want[m.r.IntN(n)], 1+m.r.IntN(5), op == 12)
	case op == 17 && n > 0:
		front := m.r.IntN(2) == 0
		must(l.Rotate(front))
		if front {
			m.want = append(slices.Clone(m.want[1:]), m.want[0])
		} else {
			m.want = append([]string{m.want[n-1]}, m.want[:n-1]...)
		}
	case op == 14:
		m.deleteEqual(l, "none", 5, true)
	case op == 15 && n > 0:
		other := fmt.Appendf(nil, "other%d", m.r.IntN(4))
		must(m.a.Copy(m.slot, m.key, 0, slots.Of(other), other))
		if m.r.IntN(2) == 0 {
			must(m.a.Rename(slots.Of(other), other, m.slot, m.key))
		}
	case op == 16 && m.r.IntN(20) == 0:
		m.a.Delete(m.slot, m.key)
		m.want = nil
	}
}

func (m *listModel) deleteEqual(l *List, e string, limit int, back bool) {
	in, kept, gone := slices.Clone(m.want), []string{}, 0
	if back {
		slices.Reverse(in)
	}
	for _, x := range in {
		if x == e && gone < limit {
			gone++
			continue
		}
		kept = append(kept, x)
	}
	if back {
		slices.Reverse(kept)
	}
	if got := l.DeleteEqual([]byte(e), limit, back); got != gone {
		m.t.Fatalf("%d deleted, want %d", got, gone)
	}
	m.want = kept
}

func asBytes(elems []string) [][]byte {
	out := make([][]byte, len(elems))
	for i, e := range elems {
		out[i] = []byte(e)
	}
	return out
}

// check reads the list by walking and by exporting it.
func (m *listModel) check() {
	m.t.Helper()
	l := m.open()
	if len(m.want) > 0 {
		i := m.r.IntN(len(m.want))
		w := l.From(i, false)
		for j := i; ; j++ {
			str, v, isInt, ok := w.Next()
			if !ok {
				if j != len(m.want) {
					m.t.Fatalf("walk ends at %d of %d", j, len(m.want))
				}
				break
			}
			if got := elemText(str, v, isInt); got != m.want[j] {
				m.t.Fatalf("element %d is %.40q, want %.40q", j, got, m.want[j])
			}
		}
		if got := elemText(l.Index(i)); got != m.want[i] {
			m.t.Fatalf("element %d is %.40q, want %.40q", i, got, m.want[i])
		}
	}
	var b Batch
	var got []string
	if e, ok := m.a.Entry(m.slot, m.key, &b); ok {
		got = elementsOfEntry(m.t, &e)
	}
	if !slices.Equal(got, m.want) {
		m.t.Fatalf("exported %d elements, want %d, or others", len(got), len(m.want))
	}
}

func elemText(str []byte, v int64, isInt bool) string {
	if isInt {
		return strconv.FormatInt(v, 10)
	}
	return string(str)
}

func elementsOfEntry(t *testing.T, e *Entry) (elems []string) {
	t.Helper()
	if err := e.EachElement(func(elem []byte) error {
		elems = append(elems, string(elem))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if e.Rooted() && e.Len() != len(elems) {
		t.Fatalf("an entry of %d elements says %d", len(elems), e.Len())
	}
	return elems
}

func TestListModel(t *testing.T) {
	first := rand.Uint64()
	t.Logf("seed %d", first)
	rounds := uint64(30)
	if testing.Short() {
		rounds = 10
	}
	for seed := first; seed < first+rounds; seed++ {
		m := newListModel(t, seed)
		all := m.k.AllShards()
		m.k.Lock(all)
		for step := range 1500 {
			if step%200 == 0 {
				m.k.SetLimits(Limits{ListSize: []int{-2, -1, -5, 1, 3, 50}[m.r.IntN(6)], ListPlain: m.r.IntN(2) * 200})
			}
			m.do()
			if step%8 == 0 {
				m.check()
			}
		}
		m.check()
		for _, name := range []string{"list", "other0", "other1", "other2", "other3"} {
			m.a.Delete(slots.Of([]byte(name)), []byte(name))
		}
		m.k.Unlock(all)
		for m.k.PendingFrees() > 0 {
			m.k.BackgroundStep(1000, 1e9)
		}
		for i := range m.k.shards {
			if used := m.k.shards[i].arena.Used(); used != 0 {
				t.Fatalf("seed %d: %d bytes left in shard %d", seed, used, i)
			}
		}
	}
}

// A snapshot has each list as it was at the cut, whatever is done to it afterwards.
func TestListSnapshot(t *testing.T) {
	first := rand.Uint64()
	t.Logf("seed %d", first)
	for seed := first; seed < first+20; seed++ {
		m := newListModel(t, seed)
		all := m.k.AllShards()
		m.k.Lock(all)
		for range m.r.IntN(800) {
			m.do()
		}
		for _, name := range []string{"other0", "other1", "other2", "other3"} {
			m.a.Delete(slots.Of([]byte(name)), []byte(name))
		}
		m.k.Unlock(all)
		snap, err := m.k.Snapshot(SnapshotOptions{DB: -1})
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Clone(m.want)
		m.k.Lock(all)
		for range 1 + m.r.IntN(50) {
			m.do()
		}
		m.k.Unlock(all)
		var b Batch
		var got []string
		for {
			err := snap.Next(&b)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			_ = b.Each(func(e Entry) error {
				if bytes.Equal(e.Key, m.key) {
					got = append(got, elementsOfEntry(t, &e)...)
				}
				return nil
			})
		}
		snap.Close()
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d elements in the snapshot, %d at the cut, or others", seed, len(got), len(want))
		}
		m.k.Lock(all)
		m.check()
		m.k.Unlock(all)
	}
}

// The encoding follows the limits as in Redis 7.2.
func TestListEncodings(t *testing.T) {
	m := newListModel(t, 1)
	m.k.Lock(m.k.AllShards())
	defer m.k.Unlock(m.k.AllShards())
	encoding := func(want Encoding) {
		t.Helper()
		if got := m.open().Encoding(); got != want {
			t.Fatalf("%v with %d elements, want %v", got, len(m.want), want)
		}
	}
	push := func(n, bytes int) {
		t.Helper()
		for range n {
			e := strings.Repeat("e", bytes)
			if err := m.open().PushTail([]byte(e)); err != nil {
				t.Fatal(err)
			}
			m.want = append(m.want, e)
		}
	}
	drop := func(n int) {
		for range n {
			m.open().PopTail()
			m.want = m.want[:len(m.want)-1]
		}
	}
	push(79, 100) // 7 + 79 * 103 = 8144 bytes
	encoding(EncListpack)
	push(1, 100)
	encoding(EncQuicklist)
	drop(40) // 7 + 40 * 103 = 4127 bytes, above 4096
	encoding(EncQuicklist)
	drop(1)
	encoding(EncListpack)
	drop(39)
	m.k.SetLimits(Limits{ListSize: 10})
	push(10, 5)
	encoding(EncListpack)
	push(1, 5)
	encoding(EncQuicklist)
	drop(5)
	encoding(EncQuicklist) // its first node holds 10
	drop(1)
	encoding(EncListpack)
}

func TestListNoAllocations(t *testing.T) {
	k := newKeyspace(t, Options{Shards: 4})
	a := k.Access(0, testNow, ModePrimary)
	k.Lock(k.AllShards())
	defer k.Unlock(k.AllShards())
	key, elem, num := []byte("list"), []byte("some element"), []byte("12345")
	slot := slots.Of(key)
	for _, limit := range []int{-2, 5} {
		k.SetLimits(Limits{ListSize: limit})
		n := testing.AllocsPerRun(3000, func() {
			var l List
			_, _ = l.Open(&a, slot, key)
			_ = l.Push(true, elem, num)
			_ = l.PushTail(num)
			_, _ = l.Insert(num, true, elem)
			_ = l.Set(1, num)
			w := l.From(0, false)
			w.Next()
			if l.Len() > 12 {
				l.PopHead()
				l.PopTail()
				l.Delete(0, 5)
				l.DeleteEqual(num, 3, true)
			}
		})
		if n != 0 {
			t.Errorf("limit %d: %v allocations", limit, n)
		}
	}
}
