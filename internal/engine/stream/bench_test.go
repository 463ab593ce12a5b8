package stream

import (
	"testing"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

func BenchmarkAppend(b *testing.B) {
	for name, pairs := range map[string][][]byte{
		"same":  byteSlices([]string{"name", "0123456789abcdef", "count", "12345"}),
		"large": byteSlices([]string{"name", string(make([]byte, 200))}),
	} {
		b.Run(name, func(b *testing.B) {
			a, err := arena.New(0)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { a.Close() })
			s := newStream(b, a)
			l := Limits{NodeBytes: 4096, NodeEntries: 100}
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				i++
				if err := s.Append(ID{i / 16, i % 16}, pairs, l); err != nil {
					b.Fatal(err)
				}
				if s.Len() > 1_000_000 {
					s.Trim(Trim{MaxLen: 10_000})
				}
			}
			if s.Len() > 20_000 {
				b.ReportMetric(float64(a.Used())/float64(s.Len()), "bytes/entry")
			}
		})
	}
}

func BenchmarkDeliverAck(b *testing.B) {
	a, err := arena.New(0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Close() })
	s := newStream(b, a)
	g, _, _ := s.CreateGroup([]byte("g"), ID{}, 0)
	c, _, _ := g.CreateConsumer([]byte("c"), 0)
	for i := range 1_000_000 {
		if err := g.Deliver(ID{uint64(i), 0}, c, 1, 1); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(a.Used())/1e6, "bytes/pending")
	b.ReportAllocs()
	i := uint64(1_000_000)
	for b.Loop() {
		if err := g.Deliver(ID{i, 0}, c, 1, 1); err != nil {
			b.Fatal(err)
		}
		g.Ack(ID{i - 1_000_000, 0})
		i++
	}
}

func BenchmarkRange(b *testing.B) {
	a, err := arena.New(0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { a.Close() })
	s := newStream(b, a)
	pairs := byteSlices([]string{"name", "0123456789abcdef", "count", "12345"})
	for i := range 10_000 {
		if err := s.Append(ID{1, uint64(i)}, pairs, Limits{NodeBytes: 4096, NodeEntries: 100}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		var it Iter
		n := 0
		for it.Start(s, ID{1, 5050}, ID{1, 5059}, false); it.Next(); n++ {
			for range it.Fields {
				var x, y [20]byte
				it.Field(x[:0], y[:0])
			}
		}
		if n != 10 {
			b.Fatal(n)
		}
	}
}
