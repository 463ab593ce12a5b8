package intset

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The bytes are those of redis-server 7.0 (DUMP, without its frame).
func TestBytesAreRedis(t *testing.T) {
	for _, c := range []struct {
		values []int64
		want   string
	}{
		{[]int64{3, 1, 2}, "0200000003000000010002000300"},
		{[]int64{5, -1}, "0200000002000000ffff0500"},
		{[]int64{1, 70000}, "04000000020000000100000070110100"},
		{[]int64{1, -5000000000}, "0800000002000000000efad5feffffff0100000000000000"},
	} {
		is := New(nil)
		for _, v := range c.values {
			is, _ = Add(is, v)
		}
		if got := hex.EncodeToString(is); got != c.want {
			t.Errorf("%v: %s, want %s", c.values, got, c.want)
		}
	}
}

func TestModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		limit := []int64{100, 1 << 15, 1 << 31, math.MaxInt64}[r.IntN(4)]
		is, model := New(nil), []int64{}
		for range 300 {
			v := r.Int64N(limit) - limit/2
			switch r.IntN(8) {
			case 0:
				v = limit - 1
			case 1:
				v = -limit
			}
			pos, has := slices.BinarySearch(model, v)
			if got, ok := Find(is, v); got != pos || ok != has {
				t.Fatalf("Find(%d) = %d, %v, want %d, %v", v, got, ok, pos, has)
			}
			if r.IntN(3) == 0 {
				size, removed := Remove(is, v)
				if is = is[:size]; removed != has {
					t.Fatalf("Remove(%d) = %v", v, removed)
				}
				if has {
					model = slices.Delete(model, pos, pos+1)
				}
			} else {
				var added bool
				if is, added = Add(is, v); added == has {
					t.Fatalf("Add(%d) = %v", v, added)
				}
				if !has {
					model = slices.Insert(model, pos, v)
				}
			}
			check(t, is, model)
		}
	}
}

func check(t *testing.T, is []byte, model []int64) {
	t.Helper()
	if len(is) != Bytes(is) || Len(is) != len(model) {
		t.Fatalf("%d bytes, header says %d and %d values, want %d", len(is), Bytes(is), Len(is), len(model))
	}
	for i, v := range model {
		if At(is, i) != v {
			t.Fatalf("value %d is %d, want %d", i, At(is, i), v)
		}
	}
	if err := Validate(is, true); (err != nil) != (len(model) == 0) {
		t.Fatal(err)
	}
	if len(model) > 0 {
		if v := Random(is, 12345); v != model[12345%len(model)] {
			t.Fatalf("Random picks %d", v)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	for _, text := range []string{
		"", "02000000", "0200000000000000", "0200000001000000", "020000000100000001",
		"03000000010000000100ff", "0200000002000000010001000000", "020000000200000002000100",
		"0800000000000020", "0200000002000000 0100 0100",
	} {
		is, _ := hex.DecodeString(string(bytes.ReplaceAll([]byte(text), []byte(" "), nil)))
		if Validate(is, true) == nil {
			t.Errorf("%q passes", text)
		}
	}
}

func FuzzValidate(f *testing.F) {
	is, _ := Add(New(nil), 7)
	f.Add(is, int64(70000))
	is, _ = Add(is, -1<<40)
	f.Add(is, int64(7))
	f.Fuzz(func(t *testing.T, is []byte, v int64) {
		is = is[:len(is):len(is)]
		if Validate(is, true) != nil {
			return
		}
		n := Len(is)
		_, had := Find(is, v)
		is, added := Add(bytes.Clone(is), v)
		if added == had || Validate(is, true) != nil {
			t.Fatalf("Add(%d): %v", v, added)
		}
		size, removed := Remove(is, v)
		if !removed || size != Bytes(is) || added && Len(is) != n {
			t.Fatalf("Remove(%d): %v", v, removed)
		}
	})
}

func TestNoAllocations(t *testing.T) {
	is := New(make([]byte, 0, 64))
	n := testing.AllocsPerRun(100, func() {
		is = is[:InsertSize(is, 70000)]
		Insert(is, 70000)
		size, _ := Remove(is, 70000)
		is = is[:size]
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFind(b *testing.B) {
	is := New(nil)
	for i := range int64(512) {
		is, _ = Add(is, i*7)
	}
	for i := range b.N {
		Find(is, int64(i%3600))
	}
}

func BenchmarkInsertRemove(b *testing.B) {
	is := New(nil)
	for i := range int64(512) {
		is, _ = Add(is, i*7)
	}
	buf := append(is, make([]byte, 8)...)
	for i := range b.N {
		v := int64(i%3000)*7 + 1
		Insert(buf, v)
		Remove(buf, v)
	}
}
