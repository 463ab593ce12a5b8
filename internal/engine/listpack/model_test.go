package listpack

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func randomElem(r *rand.Rand) string {
	switch r.IntN(8) {
	case 0, 1:
		return strconv.FormatInt(int64(r.Uint64())>>r.IntN(64), 10)
	case 2:
		return strings.Repeat("y", r.IntN(5000))
	case 3:
		return strings.Repeat("z", r.IntN(40_000))
	}
	return strings.Repeat("x", r.IntN(70))
}

// TestModel compares every planned change with the same one on a slice of strings.
func TestModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		lp, model := New(nil), []string{}
		for range 120 {
			at := r.IntN(len(model) + 1)
			off := Seek(lp, at)
			if off < 0 {
				off = End(lp)
			}
			elems := make([]string, 1+r.IntN(3))
			raw := make([][]byte, len(elems))
			var encoded []byte
			for i := range elems {
				elems[i] = randomElem(r)
				raw[i] = []byte(elems[i])
				encoded = AppendEntry(encoded, raw[i])
			}
			num := int64(r.Uint64()) >> r.IntN(64)
			n := r.IntN(4)
			to := min(len(model), at+n)
			var e Edit
			switch op := r.IntN(10); {
			case op == 0:
				e = Delete(lp, off, n)
				model = slices.Delete(model, at, to)
			case op == 1 && r.IntN(4) == 0:
				e = Delete(lp, off, -1)
				model = model[:at]
			case op == 2 && at < len(model):
				e = Replace(lp, off, raw...)
				model = slices.Replace(model, at, at+1, elems...)
			case op == 3 && at < len(model):
				e = ReplaceInt(lp, off, num)
				model[at] = strconv.FormatInt(num, 10)
			case op == 4:
				e = InsertEntries(lp, off, encoded, len(elems))
				model = slices.Insert(model, at, elems...)
			case op == 5:
				e = InsertInt(lp, off, num)
				model = slices.Insert(model, at, strconv.FormatInt(num, 10))
			case op == 6 && at < len(model):
				e = InsertAfter(lp, off, raw...)
				model = slices.Insert(model, at+1, elems...)
			case op == 8:
				e = InsertReversed(lp, off, raw...)
				slices.Reverse(elems)
				model = slices.Insert(model, at, elems...)
			case op == 7:
				e = ReplaceRange(lp, off, n, raw...)
				model = slices.Replace(model, at, to, elems...)
			default:
				e = InsertBefore(lp, off, raw...)
				model = slices.Insert(model, at, elems...)
			}
			if e.Len() != len(lp)+e.Delta() {
				t.Fatalf("Len %d, Delta %d of %d", e.Len(), e.Delta(), len(lp))
			}
			if e.Delta() > 0 {
				lp = append(lp, make([]byte, e.Delta())...)
			}
			e.Apply(lp)
			lp = lp[:e.Len()]
			compare(t, lp, model)
		}
	}
}

func compare(t *testing.T, lp []byte, model []string) {
	t.Helper()
	if err := Validate(lp, true, nil); err != nil {
		t.Fatal(err)
	}
	if Len(lp) != len(model) || Empty(lp) != (len(model) == 0) {
		t.Fatalf("%d entries, want %d", Len(lp), len(model))
	}
	var scratch [20]byte
	i := 0
	for off := First(lp); off >= 0; {
		str, num, isInt, next := Step(lp, off)
		if wantStr, wantNum, wantInt := Value(lp, off); !bytes.Equal(str, wantStr) || num != wantNum || isInt != wantInt || next != Next(lp, off) {
			t.Fatalf("Step at %d: %.40q %d %v %d", off, str, num, isInt, next)
		}
		if got := Get(lp, off, scratch[:0]); string(got) != model[i] {
			t.Fatalf("entry %d is %.40q, want %.40q", i, got, model[i])
		}
		i++
		off = next
	}
	for off := Last(lp); off >= 0; off = Prev(lp, off) {
		i--
		if got := Get(lp, off, scratch[:0]); string(got) != model[i] {
			t.Fatalf("entry %d backwards is %.40q, want %.40q", i, got, model[i])
		}
	}
	if i != 0 {
		t.Fatalf("%d entries not met backwards", i)
	}
	if len(model) > 0 && Find(lp, First(lp), []byte(model[len(model)/2]), 0) != Seek(lp, slices.Index(model, model[len(model)/2])) {
		t.Fatal("Find misses")
	}
}

// TestShift compares pushes and pops at the front of a buffer, and deletions by value,
// with the same on a slice.
func TestShift(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 30 {
		buf := make([]byte, 1<<20)
		start := len(buf) - EmptyBytes
		New(buf[start:start:len(buf)])
		var model []string
		for range 100 {
			switch op := r.IntN(8); {
			case op < 2 && len(model) > 0:
				start = PopFront(buf, start)
				model = model[1:]
			case op == 3 && len(model) > 0:
				front := r.IntN(2) == 0
				var scratch [64]byte
				Rotate(buf[start:], front, scratch[:])
				if n := len(model) - 1; front {
					model = append(slices.Clone(model[1:]), model[0])
				} else {
					model = append([]string{model[n]}, model[:n]...)
				}
			case op == 2 && len(model) > 0:
				elem, skipped, limit := model[r.IntN(len(model))], r.IntN(3), r.IntN(4)
				needle := NewNeedle([]byte(elem))
				found := CountEqual(buf[start:], &needle)
				var kept []string
				met, want := 0, 0
				for _, e := range model {
					if e == elem {
						if met++; met > skipped && want < limit {
							want++
							continue
						}
					}
					kept = append(kept, e)
				}
				if gone := DeleteEqual(buf[start:], &needle, skipped, limit); gone != want || found < gone {
					t.Fatalf("%d of %d gone, want %d", gone, found, want)
				}
				model = kept
			default:
				elem := randomElem(r)
				if r.IntN(2) == 0 {
					elem = strconv.Itoa(r.IntN(4))
				}
				if start >= EntryBytes([]byte(elem)) {
					start = PushFront(buf, start, []byte(elem))
					model = slices.Insert(model, 0, elem)
				}
			}
			compare(t, buf[start:start+Bytes(buf[start:])], model)
		}
	}
}

// FuzzValidate feeds hostile bytes: what passes can be walked and changed.
func FuzzValidate(f *testing.F) {
	f.Add(New(nil), []byte("a"))
	f.Add(build("a", "1", "-5000", strings.Repeat("x", 200)), []byte("-5000"))
	f.Add(build(strings.Repeat("y", 5000), "9223372036854775807", "70000", "8388608"), []byte("12"))
	f.Add([]byte{15, 0, 0, 0, 1, 0, 0xF0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 1, 1, 0xFF}, []byte(""))
	f.Fuzz(func(t *testing.T, lp, elem []byte) {
		lp = slices.Clip(lp)
		_ = Validate(lp, false, nil)
		n := 0
		err := Validate(lp, true, func(off, index int) bool {
			if index != n {
				t.Fatalf("entry %d called %d", n, index)
			}
			Value(lp, off)
			n++
			return true
		})
		if err != nil {
			return
		}
		if Len(lp) != n && count(lp) != unknown {
			t.Fatalf("%d entries, %d met", Len(lp), n)
		}
		var model []string
		for off := First(lp); off >= 0; off = Next(lp, off) {
			model = append(model, string(Get(lp, off, nil)))
		}
		compare(t, lp, model)
		for _, at := range []int{0, n / 2, n} {
			off := Seek(lp, at)
			if off < 0 {
				off = End(lp)
			}
			e := Insert(lp, off, elem, elem)
			buf := append(bytes.Clone(lp), make([]byte, e.Delta())...)
			e.Apply(buf)
			compare(t, buf, slices.Insert(slices.Clone(model), at, string(elem), string(elem)))
			e = Delete(buf, off, 1)
			e.Apply(buf)
			compare(t, buf[:e.Len()], slices.Insert(slices.Clone(model), at, string(elem)))
		}
	})
}
