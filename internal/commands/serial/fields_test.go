package serial_test

import (
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/hash"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/serial"
)

// The expiries of a hash's fields come along, and are obeyed.
func TestFieldExpiry(t *testing.T) {
	r := commandtest.NewRunner(t, 1, keys.Specs(keys.Deps{}), hash.Specs(hash.Deps{}), serial.Specs(serial.Deps{}))
	r.Now = 1_000_000
	r.Do("hset", "small", "f", "1", "g", "2", "h", "3")
	r.Do(many(600, func(i int) []string { return []string{string(rune('a'+i%26)) + long[:i%60], "v"} }, "hset", "big")...)
	for _, key := range []string{"small", "big"} {
		if key == "big" {
			r.Do("hset", key, "f", "1", "g", "2", "h", "3", "long", long)
		}
		r.Do("hpexpireat", key, "1005000", "fields", "1", "f")
		r.Do("hpexpireat", key, "9005000", "fields", "1", "g")
		p := payload(t, r, key)
		if p[len(p)-10] != 12 {
			t.Errorf("%s: version %d", key, p[len(p)-10])
		}
		before := ask(t, r, "hlen", key)
		if got := ask(t, r, "restore", "copy of "+key, "0", p); got != "OK" {
			t.Fatalf("%s: %s", key, got)
		}
		r.Do("del", key)
		if got := ask(t, r, "hlen", "copy of "+key); got != before {
			t.Errorf("%s: %s fields, had %s", key, got, before)
		}
		for field, want := range map[string]string{"f": ":1005000", "g": ":9005000", "h": ":-1"} {
			if got := string(r.Do("hpexpiretime", "copy of "+key, "fields", "1", field)); got != "*1\r\n"+want+"\r\n" {
				t.Errorf("%s, field %s: %q", key, field, got)
			}
		}
	}
	if n := r.Keyspace.ExpireStep(1_006_000, time.Second); n != 0 {
		t.Errorf("%d keys expired", n)
	}
	r.Now = 1_000_001 // what is gone is gone, not hidden
	for _, key := range []string{"copy of small", "copy of big"} {
		if got := ask(t, r, "hexists", key, "f"); got != "0" {
			t.Errorf("%s still has its field", key)
		}
	}
}
