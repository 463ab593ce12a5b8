package serial_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/serial"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/redistest"
)

func TestMigrateToRedis(t *testing.T) {
	r := newRunner(t)
	target := redistest.Start(t, "--requirepass", "secret")
	c := target.Dial()
	defer c.Close()
	c.Do("AUTH", "secret")
	port := fmt.Sprint(target.Port)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := fmt.Sprint(dead.Addr().(*net.TCPAddr).Port)
	dead.Close()
	for key, cmds := range values() {
		for _, cmd := range cmds {
			c.Do(cmd...)
		}
		if got := ask(t, r, "RESTORE", key, "0", c.Do("DUMP", key)); got != "OK" {
			t.Fatalf("%s: %s", key, got)
		}
		c.Do("RENAME", key, "old "+key)
	}
	r.Do("PEXPIRE", "stream", "100000")
	for _, x := range []struct {
		words   []string
		reply   string
		effects string
	}{
		{[]string{"MIGRATE", "127.0.0.1", port, "int", "0", "1000"}, "-ERR Target instance replied with error: NOAUTH Authentication required.", ""},
		{[]string{"MIGRATE", "127.0.0.1", port, "int", "0", "1000", "AUTH", "wrong"}, "-ERR Target instance replied with error: WRONGPASS invalid username-password pair or user is disabled.", ""},
		{[]string{"MIGRATE", "127.0.0.1", port, "int", "99", "1000", "AUTH", "secret"}, "-ERR Target instance replied with error: ERR DB index is out of range", ""},
		{[]string{"MIGRATE", "127.0.0.1", port, "none", "0", "1000", "AUTH", "secret"}, "NOKEY", ""},
		{[]string{"MIGRATE", "127.0.0.1", closed, "int", "0", "1000"}, "-IOERR error or timeout connecting to the client", ""},
		{[]string{"MIGRATE", "127.0.0.1", port, "int", "0", "x"}, "-ERR value is not an integer or out of range", ""},
		{[]string{"MIGRATE", "127.0.0.1", port, "int", "0", "1000", "FOO"}, "-ERR syntax error", ""},
		{[]string{"MIGRATE", "127.0.0.1", port, "int", "0", "1000", "AUTH"}, "-ERR syntax error", ""},
		{[]string{"MIGRATE", "127.0.0.1", port, "int", "0", "1000", "KEYS", "a"}, "-ERR When using MIGRATE KEYS option, the key argument must be set to the empty string", ""},
		{[]string{"MIGRATE", "127.0.0.1", port, "int", "0", "1000", "COPY", "AUTH2", "default", "secret"}, "OK", ""},
		{[]string{"MIGRATE", "127.0.0.1", port, "int", "0", "1000", "AUTH", "secret"}, "-ERR Target instance replied with error: BUSYKEY Target key name already exists.", ""},
		{[]string{"MIGRATE", "127.0.0.1", port, "", "0", "0", "AUTH", "secret", "KEYS", "int", "none", "stream"}, "-ERR Target instance replied with error: BUSYKEY Target key name already exists.", "DEL stream"},
		{[]string{"MIGRATE", "127.0.0.1", port, "int", "0", "-5", "REPLACE", "AUTH", "secret"}, "OK", "DEL int"},
		{[]string{"EXISTS", "int", "stream"}, "0", ""},
	} {
		if got := ask(t, r, x.words...); got != x.reply {
			t.Errorf("%q: %q, want %q", x.words, got, x.reply)
		}
		if got := strings.Join(r.Effects(), " ; "); got != x.effects {
			t.Errorf("%q: effects %q, want %q", x.words, got, x.effects)
		}
	}
	rest := []string{"MIGRATE", "127.0.0.1", port, "", "0", "5000", "AUTH", "secret", "KEYS"}
	for key := range values() {
		rest = append(rest, key)
	}
	if got := ask(t, r, rest...); got != "OK" {
		t.Fatal(got)
	}
	if n := r.Keyspace.Len(0); n != 0 {
		t.Errorf("%d keys left", n)
	}
	if ttl := c.Do("PTTL", "stream"); ttl == "-1" || ttl == "-2" {
		t.Errorf("stream expires in %s", ttl)
	}
	for key := range values() {
		if a, b := c.Do("DEBUG", "DIGEST-VALUE", "old "+key), c.Do("DEBUG", "DIGEST-VALUE", key); a != b {
			t.Errorf("%s: digest %s, arrived %s", key, a, b)
		}
	}
}

// TestMigrateBySyncWrites: where writes may be synchronous, keys go only to a target that
// confirms them by its own copies; a redis-server cannot, and keeps none of them.
func TestMigrateBySyncWrites(t *testing.T) {
	on := false
	r := commandtest.NewRunner(t, 1, str.Specs(), keys.Specs(keys.Deps{}), serial.Specs(serial.Deps{SyncWrites: func() bool { return on }}))
	target := redistest.Start(t)
	port := fmt.Sprint(target.Port)
	for _, x := range []struct {
		sync        bool
		reply, left string
	}{
		{true, "-ERR Target instance replied with error: ERR unknown subcommand 'WRITE-CONCERN'. Try CLIENT HELP.", "1"},
		{false, "OK", "0"},
	} {
		on = x.sync
		ask(t, r, "SET", "k", "v")
		got := ask(t, r, "MIGRATE", "127.0.0.1", port, "k", "0", "2000")
		if got != x.reply {
			t.Errorf("sync %v: %q, want %q", x.sync, got, x.reply)
		}
		if left := ask(t, r, "EXISTS", "k"); left != x.left {
			t.Errorf("sync %v: EXISTS says %s", x.sync, left)
		}
	}
	c := target.Dial()
	defer c.Close()
	if got := c.Do("DBSIZE"); got != "1" {
		t.Errorf("the target has %s keys", got)
	}
}
