package rdb

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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
		if got := conn.Do("GET", string(k.Key.Key)); got != string(k.Value) {
			t.Fatalf("key %s is %.100q, want %.100q", k.Key.Key, got, k.Value)
		}
		want := "-1"
		if k.ExpireAt != 0 {
			want = strconv.FormatInt(k.ExpireAt, 10)
		}
		if got := conn.Do("PEXPIRETIME", string(k.Key.Key)); got != want {
			t.Fatalf("key %s expires at %s, want %s", k.Key.Key, got, want)
		}
	}
}

// We read what Redis writes, compressed and with the attributes of LFU and LRU.
func TestWeLoadRedis(t *testing.T) {
	for _, policy := range []string{"noeviction", "allkeys-lfu", "allkeys-lru"} {
		s := redistest.Start(t, "--maxmemory-policy", policy, "--maxmemory", "1gb")
		conn := s.Dial()
		want := map[string]stringKey{}
		rnd := rand.New(rand.NewPCG(5, 5))
		for _, k := range sample(rnd, 200) {
			conn.Do("SELECT", strconv.Itoa(k.DB))
			conn.Do("SET", string(k.Key.Key), string(k.Value))
			if k.ExpireAt != 0 {
				k.ExpireAt = 4102444800000
				conn.Do("PEXPIREAT", string(k.Key.Key), "4102444800000")
			}
			want[string(k.Key.Key)] = k
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
			if k := want[string(g.Key.Key)]; g.DB != k.DB || !bytes.Equal(g.Value, k.Value) || g.ExpireAt != k.ExpireAt {
				t.Fatalf("key %s is %.200q, want %.200q", g.Key.Key, fmt.Sprint(g), fmt.Sprint(k))
			}
			if (g.Freq >= 0) != (policy == "allkeys-lfu") {
				t.Fatalf("policy %s: frequency %d", policy, g.Freq)
			}
		}
	}
}

// types are commands that make keys of every type and encoding that redis 7.0 has, with
// the kind that its DUMP writes and what a reader must find.
var types = []struct {
	key   string
	cmds  []string
	kind  Kind
	head  string
	lines string
}{
	{"list", []string{"RPUSH list a 12 -70000 {300}"}, KindListQuicklist2, "nodes", "a\n12\n-70000\nxxxxxxxx..300"},
	{"listnodes", []string{"CONFIG SET list-max-listpack-size 2", "RPUSH listnodes a b c d e", "CONFIG SET list-max-listpack-size -2"}, KindListQuicklist2, "nodes", "a\nb\nc\nd\ne"},
	{"listplain", []string{"RPUSH listplain a {70000} z"}, KindListQuicklist2, "nodes", "a\nxxxxxxxx..70000\nz"},
	{"ints", []string{"SADD ints 5 1 -3 7000000000"}, KindSetIntset, "packed 11", "-3\n1\n5\n7000000000"},
	{"set", []string{"SADD set a b 12"}, KindSet, "", "12\na\nb"},
	{"hash", []string{"HSET hash f v n 12 12 x"}, KindHashListpack, "packed 16", "12=x\nf=v\nn=12"},
	{"hashtable", []string{"HSET hashtable f {100} g 1"}, KindHash, "", "f=xxxxxxxx..100\ng=1"},
	{"zset", []string{"ZADD zset 1.5 a -inf b 3 c 0.1 d"}, KindZSetListpack, "packed 17", "a=1.5\nb=-inf\nc=3\nd=0.10000000000000001"},
	{"skiplist", []string{"ZADD skiplist 1.5 {100} inf b -0.25 c"}, KindZSet2, "", "b=+Inf\nc=-0.25\n" + strings.Repeat("x", 100) + "=1.5"},
	{"stream", []string{"XADD stream 1-1 a 1 b 2", "XADD stream 1-3 a 1 b 2", "XADD stream 5-0 c 1", "XADD stream 7-1 c 1", "XDEL stream 1-1",
		"XGROUP CREATE stream g 0", "XREADGROUP GROUP g alice COUNT 2 STREAMS stream >", "XGROUP CREATECONSUMER stream g bob", "XGROUP CREATE stream h $"},
		KindStream2, "", "node {1 1} 32\nstream {3 {7 1} {1 3} {1 1} 4}\ngroup g {{5 0} 3 2}\npending {{1 3} 1 1}\npending {{5 0} 1 1}\n" +
			"consumer alice {1 1 2}\nowned {1 3}\nowned {5 0}\nconsumer bob {1 1 0}\ngroup h {{7 1} -1 0}"},
	{"empty", []string{"XADD empty 1-1 a 1", "XDEL empty 1-1"}, KindStream2, "", "stream {0 {1 1} {0 0} {1 1} 1}"},
	{"string", []string{"SET string abc"}, KindString, "", `string "abc" 3`},
}

func fill(t *testing.T, s *redistest.Server) {
	c := s.Dial()
	defer c.Close()
	for _, typ := range types {
		for _, cmd := range typ.cmds {
			args := strings.Fields(cmd)
			for i, a := range args {
				if a[0] == '{' {
					n, _ := strconv.Atoi(strings.Trim(a, "{}"))
					args[i] = strings.Repeat("x", n)
				}
			}
			if got := c.Do(args...); strings.HasPrefix(got, "-") {
				t.Fatalf("%s: %s", cmd, got)
			}
		}
	}
}

func TestRedisPayloads(t *testing.T) {
	s := redistest.Start(t)
	fill(t, s)
	for _, typ := range types {
		kind, x, err := read([]byte(s.Do("DUMP", typ.key)))
		if err != nil {
			t.Errorf("%s: %v", typ.key, err)
			continue
		}
		got := x.plain()
		if !strings.HasPrefix(typ.key, "list") && typ.key != "stream" {
			got = x.sorted()
		}
		if kind != typ.kind || x.head != typ.head || got != typ.lines {
			t.Errorf("%s: kind %d, %q\n%s\nwant %d, %q\n%s", typ.key, kind, x.head, got, typ.kind, typ.head, typ.lines)
		}
	}
}

// A file of redis is read, and one written from what was read is loaded by redis with the
// same contents.
func TestRedisFileBothWays(t *testing.T) {
	s := redistest.Start(t)
	fill(t, s)
	if got := s.Do("SAVE"); got != "OK" {
		t.Fatal(got)
	}
	b, err := os.ReadFile(filepath.Join(s.Dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var out bytes.Buffer
	w := NewWriter(&out, WriterOptions{Compress: true, Checksum: true})
	n := 0
	for k, v := range readFile(t, b) {
		w.Key(k)
		v.writeTo(w, k.Kind)
		if err := w.Settle(); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if err := w.Close(); err != nil || n != len(types) {
		t.Fatalf("%d keys, %v", n, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(redistest.Lookup(t, "redis-check-rdb"), filepath.Join(dir, "dump.rdb")).CombinedOutput(); err != nil {
		t.Fatalf("redis-check-rdb: %v\n%s", err, out)
	}
	other := redistest.StartIn(t, dir)
	for _, typ := range types {
		if a, b := s.Do("DEBUG", "DIGEST-VALUE", typ.key), other.Do("DEBUG", "DIGEST-VALUE", typ.key); a != b {
			t.Errorf("%s: digest %s, then %s", typ.key, a, b)
		}
	}
}
