package rdb

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/redwingdb/redwing/internal/redistest"
)

// Redis accepts our file, and has the same keys.
func TestRedisLoadsOurs(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 11))
	keys := sample(rnd, 300)
	for i := range keys {
		if keys[i].ExpireAt != 0 {
			keys[i].ExpireAt = 4102444800000 + int64(i) // 2100
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "dump.rdb")
	b := encode(t, keys, WriterOptions{Compress: true, Checksum: true, Sizes: func(int) (uint64, uint64) { return 100, 30 }})
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(redistest.Lookup(t, "redis-check-rdb"), file).CombinedOutput(); err != nil {
		t.Fatalf("redis-check-rdb: %v\n%s", err, out)
	}
	s := redistest.StartIn(t, dir)
	conn := s.Dial()
	defer conn.Close()
	for _, k := range keys {
		conn.Do("SELECT", strconv.Itoa(k.DB))
		if got := conn.Do("GET", string(k.Key)); got != string(k.Value) {
			t.Fatalf("key %s is %.100q, want %.100q", k.Key, got, k.Value)
		}
		want := "-1"
		if k.ExpireAt != 0 {
			want = strconv.FormatInt(k.ExpireAt, 10)
		}
		if got := conn.Do("PEXPIRETIME", string(k.Key)); got != want {
			t.Fatalf("key %s expires at %s, want %s", k.Key, got, want)
		}
	}
}

// We read what Redis writes, compressed and with the attributes of LFU and LRU.
func TestWeLoadRedis(t *testing.T) {
	for _, policy := range []string{"noeviction", "allkeys-lfu", "allkeys-lru"} {
		s := redistest.Start(t, "--maxmemory-policy", policy, "--maxmemory", "1gb")
		conn := s.Dial()
		want := map[string]Key{}
		rnd := rand.New(rand.NewPCG(5, 5))
		for _, k := range sample(rnd, 200) {
			conn.Do("SELECT", strconv.Itoa(k.DB))
			conn.Do("SET", string(k.Key), string(k.Value))
			if k.ExpireAt != 0 {
				k.ExpireAt = 4102444800000
				conn.Do("PEXPIREAT", string(k.Key), "4102444800000")
			}
			want[string(k.Key)] = k
		}
		conn.Do("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
		if got := conn.Do("SAVE"); got != "OK" {
			t.Fatal(got)
		}
		conn.Close()
		b, err := os.ReadFile(filepath.Join(s.Dir, "dump.rdb"))
		if err != nil {
			t.Fatal(err)
		}
		got, aux, rest, err := decode(b)
		if err != nil || rest != 0 {
			t.Fatalf("%v, %d bytes left", err, rest)
		}
		if len(aux) == 0 || !bytes.HasPrefix([]byte(aux[0]), []byte("redis-ver=7.0.")) {
			t.Fatalf("aux %q", aux)
		}
		if len(got) != len(want) {
			t.Fatalf("%d keys, want %d", len(got), len(want))
		}
		for _, g := range got {
			if k := want[string(g.Key)]; g.DB != k.DB || !bytes.Equal(g.Value, k.Value) || g.ExpireAt != k.ExpireAt {
				t.Fatalf("key %s is %.200q, want %.200q", g.Key, fmt.Sprint(g), fmt.Sprint(k))
			}
			if (g.Freq >= 0) != (policy == "allkeys-lfu") {
				t.Fatalf("policy %s: frequency %d", policy, g.Freq)
			}
		}
	}
}
