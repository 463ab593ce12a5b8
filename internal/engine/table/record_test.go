package table

import (
	"bytes"
	"testing"

	"github.com/redwingdb/redwing/internal/engine/arena"
)

func TestRecordLayouts(t *testing.T) {
	a, err := arena.New(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, keyLen := range []int{0, 1, 16, 255, 256, 1000, 70_000} {
		for _, valueLen := range []int{0, 1, 8, 64, 20_000} {
			for flags := range byte(16) {
				flags &= FlagExpiry | FlagInWheel | FlagSpan
				key, value := bytes.Repeat([]byte("k"), keyLen), bytes.Repeat([]byte("v"), valueLen)
				l := Layout{Kind: 0x83, Flags: flags, KeyLen: keyLen, ValueLen: valueLen}
				ref, err := a.Alloc(l.Size())
				if err != nil {
					t.Fatal(err)
				}
				r := RecAt(a, ref)
				r.Init(l, 0xabcdef, key)
				if flags&FlagExpiry != 0 {
					r.SetExpireAt(1 << 50)
				}
				if flags&FlagSpan != 0 {
					r.SetSpan(77, 1<<31)
				} else {
					copy(r.Value(), value)
				}
				check := func(r Rec, what string) {
					t.Helper()
					if r.Size() != l.Size() {
						t.Fatalf("%s %+v: %d bytes, layout %d", what, l, r.Size(), l.Size())
					}
					if !bytes.Equal(r.Key(), key) || !r.KeyIs(key) || r.KeyIs(append(key, 'x')) {
						t.Fatalf("%s %+v: key differs", what, l)
					}
					if at := r.ExpireAt(); (at == 1<<50) != (l.Flags&FlagExpiry != 0) {
						t.Fatalf("%s %+v: expiry %d", what, l, at)
					}
					if r.Kind() != 0x83 || r.LRU() != 0xabcdef || r.Flags()&^FlagLongKey != l.Flags {
						t.Fatalf("%s %+v: kind %x lru %x flags %x", what, l, r.Kind(), r.LRU(), r.Flags())
					}
					if l.Flags&FlagSpan != 0 {
						if span, n := r.Span(); span != 77 || n != 1<<31 {
							t.Fatalf("%s %+v: span %d %d", what, l, span, n)
						}
					} else if !bytes.Equal(r.Value(), value) {
						t.Fatalf("%s %+v: value differs", what, l)
					}
				}
				check(r, "fresh")
				check(RecFromRaw(append(make([]byte, 0, l.Size()+16), r.Raw()...)), "copied")
				r.SetLRU(1)
				r.SetLRU(0xabcdef)
				check(r, "touched")
				if l.Size()+expiryBytes > arena.ClassSize(l.Size()) && flags&FlagExpiry == 0 {
					continue
				}
				l.Flags ^= FlagExpiry
				if l.Flags&FlagSpan != 0 {
					l.ValueLen = spanBytes
				}
				r.Reshape(l)
				if l.Flags&FlagExpiry != 0 {
					r.SetExpireAt(1 << 50)
				}
				check(r, "reshaped")
			}
		}
	}
}
