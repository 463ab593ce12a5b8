package quicklist

import "testing"

func benchList(b *testing.B, n int) List {
	l := newList(b, 0)
	for range n {
		if err := l.Push(Limits{Fill: -2}, []byte("element:12345"), false); err != nil {
			b.Fatal(err)
		}
	}
	return l
}

func BenchmarkPushPop(b *testing.B) {
	elem := []byte("xxx")
	for name, front := range map[string]bool{"front": true, "back": false} {
		b.Run(name, func(b *testing.B) {
			l := benchList(b, 1000)
			for i := range b.N {
				if i&8191 < 4096 {
					_ = l.Push(Limits{Fill: -2}, elem, front)
				} else {
					l.Pop(front)
				}
			}
		})
	}
}

func BenchmarkWalk100(b *testing.B) {
	l := benchList(b, 10_000)
	for range b.N {
		w := l.From(0, false)
		for range 100 {
			w.Next()
		}
	}
}

func BenchmarkSeekMiddleOfMillion(b *testing.B) {
	l := benchList(b, 1_000_000)
	b.ReportMetric(float64(l.Size(0))/float64(l.Len()), "B/elem")
	for range b.N {
		l.Seek(l.Len() / 2)
	}
}

func BenchmarkInsertDeleteMiddle(b *testing.B) {
	l := benchList(b, 100_000)
	for range b.N {
		i := l.Len() / 2
		_ = l.Insert(Limits{Fill: -2}, l.Seek(i), true, []byte("xxx"))
		l.Delete(i+1, 1)
	}
}
