package admin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/engine"
)

// fill puts two strings and a hash of n fields into database 3.
func (r *rig) fill(n int) {
	r.Helper()
	r.DB = 3
	r.Keyspace.Lock(r.Keyspace.AllShards())
	defer r.Keyspace.Unlock(r.Keyspace.AllShards())
	a := r.Keyspace.Access(3, 1000, engine.ModePrimary)
	for _, key := range []string{"short", "long"} {
		if err := a.SetString(slot(key), []byte(key), []byte(strings.Repeat("v", 100*len(key)*len(key))), 0); err != nil {
			r.Fatal(err)
		}
	}
	var h engine.Hash
	if _, err := h.Open(&a, slot("hash"), []byte("hash")); err != nil {
		r.Fatal(err)
	}
	for i := range n {
		if _, err := h.Put([]byte(fmt.Sprint("field:", i)), []byte("value"), 0); err != nil {
			r.Fatal(err)
		}
	}
}

func (r *rig) number(words ...string) int {
	r.Helper()
	n, err := strconv.Atoi(r.do(words...).Text)
	if err != nil {
		r.Fatalf("%q: %v", words, err)
	}
	return n
}

func TestMemoryUsage(t *testing.T) {
	r := newRig(t)
	r.fill(20_000)
	if got := r.number("MEMORY", "USAGE", "short"); got < 2500 || got > 3000 {
		t.Errorf("a string of 2500 bytes takes %d", got)
	}
	all := r.number("MEMORY", "USAGE", "hash", "SAMPLES", "0")
	if all < 20_000*(8+8+5) || all > 20_000*80 {
		t.Errorf("a hash of 20000 fields takes %d bytes", all)
	}
	if r.Owned != 1 {
		t.Errorf("%d commands ran as owners", r.Owned)
	}
	for _, samples := range []string{"1", "5", "1000", "9223372036854775807"} {
		if got := r.number("MEMORY", "USAGE", "hash", "SAMPLES", samples); got < all*8/10 || got > all*12/10 {
			t.Errorf("%s samples say %d, all %d", samples, got, all)
		}
	}
	for _, args := range []string{"SAMPLES -1", "SAMPLES", "COUNT 1", "SAMPLES 1 SAMPLES"} {
		r.is("MEMORY USAGE hash "+args, "-ERR syntax error\r\n")
	}
	for _, n := range []string{"x", "9223372036854775808", "1e3", ""} {
		if got := string(r.Do("MEMORY", "USAGE", "hash", "SAMPLES", n)); got != "-ERR value is not an integer or out of range\r\n" {
			t.Errorf("SAMPLES %q: %q", n, got)
		}
	}
	r.is("MEMORY USAGE nokey", "$-1\r\n")
}

// The names of MEMORY STATS, in their order, are those of redis-server; the numbers add up.
func TestMemoryStats(t *testing.T) {
	r := newRig(t)
	r.deps.Memory = func() MemoryCounts {
		return MemoryCounts{PeakBytes: 1 << 40, StartupBytes: 100, BacklogBytes: 1000, ReplicaBytes: 50, ClientBytes: 2000}
	}
	r.Keyspace.CountBytes(3100)
	r.fill(10)
	redis := commandtest.StartRedis(t)
	redis.Ask("SELECT", "3")
	redis.Ask("SET", "k", "v")
	names := func(v commandtest.Reply) (out []string) {
		for i := 0; i < len(v.Items); i += 2 {
			out = append(out, v.Items[i].Text)
		}
		return out
	}
	for _, resp3 := range []bool{false, true} {
		if resp3 {
			r.UseRESP3()
			redis.Ask("HELLO", "3")
		}
		theirs, ours := redis.Ask("MEMORY", "STATS"), r.do("MEMORY", "STATS")
		if !slices.Equal(names(theirs), names(ours)) || theirs.Kind != ours.Kind {
			t.Errorf("names %q (%c)\nredis %q (%c)", names(ours), ours.Kind, names(theirs), theirs.Kind)
		}
		for i := range theirs.Items {
			if theirs.Items[i].Kind != ours.Items[i].Kind {
				t.Errorf("%s is of kind %c, redis' of %c", ours.Items[i/2*2].Text, ours.Items[i].Kind, theirs.Items[i].Kind)
			}
		}
		p := ours.Pairs()
		number := func(name string) int64 {
			n, err := strconv.ParseInt(p[name].Text, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if number("overhead.total")+number("dataset.bytes") != number("total.allocated") || number("keys.count") != 3 ||
			number("total.allocated") != r.Keyspace.CountedBytes() || number("clients.normal") != 2000 || number("peak.allocated") != 1<<40 {
			t.Errorf("%+v", p)
		}
		if inner := p["db.3"]; !slices.Equal(names(inner), names(theirs.Pairs()["db.3"])) {
			t.Errorf("db.3: %+v", inner)
		}
	}
	redis.Ask("HELLO", "2")
	info := r.do("INFO", "memory").Text
	for line := range strings.SplitSeq(redis.Ask("INFO", "memory").Text, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		scripts := strings.Contains(name, "lua") || strings.Contains(name, "script") || strings.Contains(name, "functions") || strings.Contains(name, "libraries") || strings.Contains(name, "_vm_")
		if !scripts && name != "" && !strings.Contains(info, "\n"+name+":") && !strings.HasPrefix(name, "#") {
			t.Errorf("INFO memory lacks %s", name)
		}
	}
}

func TestMemoryReports(t *testing.T) {
	r := newRig(t)
	if got := r.do("MEMORY", "DOCTOR").Text; !strings.HasPrefix(got, "There is too little data") {
		t.Errorf("DOCTOR: %q", got)
	}
	r.Keyspace.CountBytes(50 << 20)
	r.deps.Memory = func() MemoryCounts {
		return MemoryCounts{PeakBytes: 200 << 20, ClientBytes: 50 << 20, ReplicaBytes: 20 << 20}
	}
	got := r.do("MEMORY", "DOCTOR").Text
	for _, want := range []string{"Memory problems were found:", " * Peak memory: 200.00M", " * Client buffers: a connection holds 50.00M", " * Replica buffers: 20.00M"} {
		if !strings.Contains(got, want) {
			t.Errorf("DOCTOR lacks %q: %s", want, got)
		}
	}
	if got := r.do("MEMORY", "MALLOC-STATS").Text; strings.Count(got, "\n") != 1+r.Keyspace.NumShards()+1 {
		t.Errorf("MALLOC-STATS: %s", got)
	}
	r.is("MEMORY PURGE", "+OK\r\n")
	if got := r.do("MEMORY", "HELP"); len(got.Items) != 14 {
		t.Errorf("HELP has %d lines", len(got.Items))
	}
}
