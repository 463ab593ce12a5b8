package serial_test

import (
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/serial"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

func newRunner(t testing.TB) *commandtest.Runner {
	r := commandtest.NewRunner(t, 2, str.Specs(), keys.Specs(keys.Deps{}), serial.Specs(serial.Deps{}))
	r.Now = 1_000_000
	return r
}

// payload returns what DUMP gives, "" for null.
func payload(t testing.TB, r *commandtest.Runner, key string) string {
	t.Helper()
	v, err := commandtest.Parse(r.Do("dump", key))
	if err != nil || v.Kind == '-' {
		t.Fatalf("dump %s: %v, %s", key, err, v.Text)
	}
	return v.Text
}

func ask(t testing.TB, r *commandtest.Runner, words ...string) string {
	t.Helper()
	v, err := commandtest.Parse(r.Do(words...))
	if err != nil {
		t.Fatal(err)
	}
	if v.Kind == '-' {
		return "-" + v.Text
	}
	return v.Text
}

func TestRestore(t *testing.T) {
	r := newRunner(t)
	r.Do("set", "a", "hello")
	p := payload(t, r, "a")
	if want := "\x00\x05hello\x0a\x00"; !strings.HasPrefix(p, want) || len(p) != len(want)+8 {
		t.Fatalf("payload %q", p)
	}
	newer := rdb.NewPayload(nil, rdb.Kind(p[0]), false)
	newer.Append([]byte(p[1 : len(p)-10]))
	newest := string(newer.Payload(rdb.VersionLatest))
	if got := payload(t, r, "none"); got != "" {
		t.Fatalf("payload of no key %q", got)
	}
	for _, c := range []struct {
		words   []string
		reply   string
		effects string
	}{
		{[]string{"restore", "b", "0", p}, "OK", "restore b 0 P"},
		{[]string{"restore", "b", "0", p}, "-BUSYKEY Target key name already exists.", ""},
		{[]string{"restore", "b", "5000", p, "replace"}, "OK", "restore b 1005000 P replace ABSTTL"},
		{[]string{"pexpiretime", "b"}, "1005000", ""},
		{[]string{"restore", "b", "5000", p, "replace", "absttl"}, "OK", "DEL b"},
		{[]string{"get", "b"}, "", ""},
		{[]string{"restore", "b", "5000", p, "absttl"}, "OK", ""},
		{[]string{"restore", "b", "1005000", p, "absttl", "idletime", "7"}, "OK", "restore b 1005000 P absttl idletime 7"},
		{[]string{"object", "idletime", "b"}, "7", ""},
		{[]string{"get", "b"}, "hello", ""},
		{[]string{"restore-asking", "b", "0", p, "REPLACE", "FREQ", "255"}, "OK", "restore-asking b 0 P REPLACE FREQ 255"},
		{[]string{"restore", "c", "-1", p}, "-ERR Invalid TTL value, must be >= 0", ""},
		{[]string{"restore", "c", "x", p}, "-ERR value is not an integer or out of range", ""},
		{[]string{"restore", "b", "x", p}, "-BUSYKEY Target key name already exists.", ""},
		{[]string{"restore", "c", "0", p, "idletime", "-1"}, "-ERR Invalid IDLETIME value, must be >= 0", ""},
		{[]string{"restore", "c", "0", p, "freq", "256"}, "-ERR Invalid FREQ value, must be >= 0 and <= 255", ""},
		{[]string{"restore", "c", "0", p, "freq", "1", "idletime", "1"}, "-ERR syntax error", ""},
		{[]string{"restore", "c", "0", p, "freq"}, "-ERR syntax error", ""},
		{[]string{"restore", "c", "0", "x" + p[1:]}, "-ERR DUMP payload version or checksum are wrong", ""},
		{[]string{"restore", "c", "0", ""}, "-ERR DUMP payload version or checksum are wrong", ""},
		{[]string{"exists", "c"}, "0", ""},
		{[]string{"restore", "d", "0", newest}, "OK", "restore d 0 P"}, // as old as its value
		{[]string{"restore", "d", "5000", newest, "replace"}, "OK", "restore d 1005000 P replace ABSTTL"},
	} {
		if got := ask(t, r, c.words...); got != c.reply {
			t.Errorf("%.80q: %q, want %q", c.words, got, c.reply)
		}
		if got := strings.ReplaceAll(strings.Join(r.Effects(), " ; "), p, "P"); got != c.effects {
			t.Errorf("%.80q: effects %q, want %q", c.words, got, c.effects)
		}
	}
	if n := r.Keyspace.Len(r.Keyspace.StagingDB()); n != 0 {
		t.Errorf("%d keys left aside", n)
	}
}

// A damaged payload whose checksum is right is refused, and the key that it would have
// replaced stays.
func TestRestoreDamaged(t *testing.T) {
	r := newRunner(t)
	redis := commandtest.StartRedis(t)
	r.Do("set", "a", "old")
	for _, p := range []string{
		"\x02\x00\x0a\x00\x1b\xfd\xb3\x31\xbb\xa1\x1e\x21", // an empty set, wrong sum
	} {
		want := string(redis.Do("restore", "a", "0", p))
		if got := string(r.Do("restore", "a", "0", p, "replace")); got != want {
			t.Errorf("%q: %q, redis says %q", p, got, want)
		}
	}
	if got := ask(t, r, "get", "a"); got != "old" {
		t.Errorf("a is %q", got)
	}
}
