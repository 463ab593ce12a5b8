package engine

import (
	"bytes"
	"testing"
	"time"
)

// What is held stays as it was while its key is changed, replaced and deleted, and goes when
// it is released.
func TestHold(t *testing.T) {
	const n = 1 << 20
	for name, change := range map[string]func(t *testing.T, k *Keyspace, a *Access){
		"nothing": func(*testing.T, *Keyspace, *Access) {},
		"change": func(t *testing.T, k *Keyspace, a *Access) {
			var e StringEdit
			a.OpenEdit(&e, 1, []byte("k"))
			b, err := e.Grow(n)
			if err != nil {
				t.Fatal(err)
			}
			copy(b, bytes.Repeat([]byte("b"), n))
		},
		"replace": func(t *testing.T, k *Keyspace, a *Access) {
			if err := a.SetString(1, []byte("k"), bytes.Repeat([]byte("c"), n), 0); err != nil {
				t.Fatal(err)
			}
		},
		"delete": func(t *testing.T, k *Keyspace, a *Access) { a.Delete(1, []byte("k")) },
		"flush":  func(t *testing.T, k *Keyspace, a *Access) { k.Flush(0) },
	} {
		t.Run(name, func(t *testing.T) {
			k := newKeyspace(t, Options{Shards: 2})
			all := k.AllShards()
			k.Lock(all)
			a := k.Access(0, testNow, ModePrimary)
			value := bytes.Repeat([]byte("a"), n)
			if err := a.SetString(1, []byte("k"), value, 0); err != nil {
				t.Fatal(err)
			}
			if err := a.SetString(1, []byte("short"), []byte("text"), 0); err != nil {
				t.Fatal(err)
			}
			short, _ := a.Find(1, []byte("short"))
			if h, ok := a.Hold(1, short); ok || h.Held() {
				t.Error("a short string is held")
			}
			r, _ := a.Find(1, []byte("k"))
			h, ok := a.Hold(1, r)
			if !ok || !h.Held() {
				t.Fatal("not held")
			}
			change(t, k, &a)
			k.Unlock(all)
			for k.BackgroundStep(testNow, time.Second) {
			}
			if !bytes.Equal(h.Bytes(), value) {
				t.Error("what is held has changed")
			}
			h.Release()
			if h.Held() {
				t.Error("still held")
			}
			k.Lock(all)
			a = k.Access(0, testNow, ModePrimary)
			a.Delete(1, []byte("k"))
			a.Delete(1, []byte("short"))
			k.Unlock(all)
			for k.BackgroundStep(testNow, time.Second) {
			}
			if used := k.UsedMemory(); used >= n {
				t.Errorf("%d bytes are in use in the end", used)
			}
		})
	}
}
