package listpack

import (
	"strconv"
	"testing"
)

func hundred() []byte {
	lp := New(nil)
	for i := range 100 {
		lp = Append(lp, []byte("element:"+strconv.Itoa(i)))
	}
	return lp
}

func BenchmarkWalk100(b *testing.B) {
	lp := hundred()
	n := 0
	for range b.N {
		for off := First(lp); off >= 0; {
			var s []byte
			s, _, _, off = Step(lp, off)
			n += len(s)
		}
	}
}

func BenchmarkFindLastOf100(b *testing.B) {
	lp, elem := hundred(), []byte("element:99")
	for range b.N {
		if Find(lp, First(lp), elem, 0) < 0 {
			b.Fatal("not found")
		}
	}
}

func BenchmarkAppendDelete(b *testing.B) {
	lp, elem := hundred(), []byte("element:100")
	buf := append(lp, make([]byte, 32)...)
	for range b.N {
		e := Insert(buf, End(buf), elem)
		e.Apply(buf)
		e = Delete(buf, Last(buf), 1)
		e.Apply(buf)
	}
}
