package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// get and set speak as CONFIG GET and CONFIG SET do.
func get(c *Config, patterns ...string) (out []string) {
	for _, p := range c.Get(patterns...) {
		out = append(out, p.Name, p.Value)
	}
	return out
}

func set(c *Config, words ...string) string {
	var pairs []Pair
	for i := 0; i < len(words); i += 2 {
		pairs = append(pairs, Pair{words[i], words[i+1]})
	}
	if err := c.Set(pairs); err != nil {
		return err.Error()
	}
	return "OK"
}

func TestGet(t *testing.T) {
	c := New()
	for _, tc := range []struct{ patterns, want []string }{
		{[]string{"port"}, []string{"port", "6379"}},
		{[]string{"PORT", "port", "nosuch"}, []string{"PORT", "6379"}},
		{[]string{"REPLICA-PRIO*", "slave-priority"}, []string{"replica-priority", "100", "slave-priority", "100"}},
		{[]string{"save", "appendonly"}, []string{"save", "3600 1 300 100 60 10000", "appendonly", "no"}},
		{[]string{"repl-backlog-size"}, []string{"repl-backlog-size", "1048576"}},
		{[]string{"client-output-buffer-limit"}, []string{"client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"}},
		{[]string{"bind"}, []string{"bind", "* -::*"}},
		{[]string{"user", "include", "rename-command", "u[s]er"}, nil},
		{[]string{"oom-score-adj-values"}, []string{"oom-score-adj-values", "0 200 800"}},
		{[]string{"proc-title-template"}, []string{"proc-title-template", "{title} {listen-addr} {server-mode}"}},
	} {
		if got := get(c, tc.patterns...); !slices.Equal(got, tc.want) {
			t.Errorf("CONFIG GET %q: %q, want %q", tc.patterns, got, tc.want)
		}
	}
}

func TestDir(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]string{".": here, "data": here + "/data", "../x": filepath.Dir(here) + "/x", "/tmp": "/tmp"} {
		c, err := Parse(nil, []string{"--dir", arg})
		if err != nil || c.Get("dir")[0].Value != want {
			t.Errorf("dir %s: %v, %v, want %s", arg, c.Get("dir"), err, want)
		}
	}
}

// The errors are those of redis-server 7.0.15, asked one by one, but for values that
// only this server refuses.
func TestSet(t *testing.T) {
	const failed = "ERR CONFIG SET failed (possibly related to argument '"
	c := New()
	for _, tc := range []struct {
		words []string
		want  string
	}{
		{[]string{"foo", "bar"}, "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"},
		{[]string{"timeout", "5", "foo\r\n", "1"}, "ERR Unknown option or number of arguments for CONFIG SET - 'foo  '"},
		{[]string{"timeout", "1", "timeout", "2"}, failed + "timeout') - duplicate parameter"},
		{[]string{"slave-priority", "1", "replica-priority", "2"}, failed + "replica-priority') - duplicate parameter"},
		{[]string{"maxmemory", "x"}, failed + "maxmemory') - argument must be a memory value"},
		{[]string{"maxclients", "0"}, failed + "maxclients') - argument must be between 1 and 4294967295 inclusive"},
		{[]string{"databases", "5"}, failed + "databases') - can't set immutable config"},
		{[]string{"daemonize", "yes"}, failed + "daemonize') - only 'no' is supported: run it under a supervisor, or in the background by the shell"},
		{[]string{"hz", "abc"}, failed + "hz') - argument couldn't be parsed into an integer"},
		{[]string{"appendonly", "maybe"}, failed + "appendonly') - argument must be 'yes' or 'no'"},
		{[]string{"maxmemory-policy", "foo"}, failed + "maxmemory-policy') - argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction"},
		{[]string{"client-output-buffer-limit", "foo"}, failed + "client-output-buffer-limit') - Wrong number of arguments in buffer limit configuration."},
		{[]string{"client-output-buffer-limit", "x 1 2 3"}, failed + "client-output-buffer-limit') - Invalid client class specified in buffer limit configuration."},
		{[]string{"client-output-buffer-limit", "normal 1 2 z"}, failed + "client-output-buffer-limit') - Error in hard, soft or soft_seconds setting in buffer limit configuration."},
		{[]string{"loglevel", "debug"}, failed + "loglevel') - can't set immutable config"},
		{[]string{"TIMEOUT", "7", "maxmemory", "1k"}, "OK"},
		{[]string{"save", ""}, "OK"},
		{[]string{"save", "900 1 5 0"}, "OK"},
		{[]string{"shutdown-on-sigterm", "force SAVE now"}, "OK"},
		{[]string{"shutdown-on-sigterm", "save nosave"}, "ERR CONFIG SET failed (possibly related to argument 'shutdown-on-sigterm') - shutdown options SAVE and NOSAVE can't be used simultaneously"},
		{[]string{"shutdown-on-sigint", "x"}, "ERR CONFIG SET failed (possibly related to argument 'shutdown-on-sigint') - argument(s) must be one of the following: default, save, nosave, now, force"},
		{[]string{"save", "900"}, "ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters"},
		{[]string{"save", "0 1"}, "ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters"},
		{[]string{"save", "1 -1"}, "ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters"},
		{[]string{"dbfilename", "a/b"}, "ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set immutable config"},
		{[]string{"client-output-buffer-limit", "slave 1mb 2kb 3"}, "OK"},
	} {
		if got := set(c, tc.words...); got != tc.want {
			t.Errorf("CONFIG SET %q:\n got %s\nwant %s", tc.words, got, tc.want)
		}
	}
	if c.TimeoutSeconds.Get() != 7 || c.MaxMemoryBytes.Get() != 1000 || c.ReplicaPriority.Get() != 100 {
		t.Errorf("timeout %d, maxmemory %d, replica-priority %d", c.TimeoutSeconds.Get(), c.MaxMemoryBytes.Get(), c.ReplicaPriority.Get())
	}
	if got := get(c, "client-output-buffer-limit")[1]; got != "normal 0 0 0 slave 1048576 2048 3 pubsub 33554432 8388608 60" {
		t.Errorf("client-output-buffer-limit %q", got)
	}
}

func TestSetIsAllOrNothing(t *testing.T) {
	c := New()
	var seen []string
	full := errors.New("no room")
	c.OnChange("loglevel", func() error { seen = append(seen, c.LogLevel.Get()); return nil })
	c.OnChange("repl-backlog-size", func() error {
		if c.ReplBacklogBytes.Get() > 1<<30 {
			return full
		}
		return nil
	})
	if got := set(c, "timeout", "5", "loglevel", "debug", "maxclients", "0"); got == "OK" {
		t.Error("accepted maxclients 0")
	}
	if c.TimeoutSeconds.Get() != 0 || c.LogLevel.Get() != "notice" || seen != nil {
		t.Errorf("after a bad value: timeout %d, loglevel %s, applied %q", c.TimeoutSeconds.Get(), c.LogLevel.Get(), seen)
	}
	got := set(c, "timeout", "5", "loglevel", "debug", "repl-backlog-size", "2gb")
	if want := "ERR CONFIG SET failed (possibly related to argument 'repl-backlog-size') - no room"; got != want {
		t.Errorf("got %s", got)
	}
	if c.TimeoutSeconds.Get() != 0 || c.ReplBacklogBytes.Get() != 1<<20 || !slices.Equal(seen, []string{"debug", "notice"}) {
		t.Errorf("after a failure: timeout %d, backlog %d, applied %q", c.TimeoutSeconds.Get(), c.ReplBacklogBytes.Get(), seen)
	}
	if got := set(c, "loglevel", "warning", "repl-backlog-size", "2mb"); got != "OK" {
		t.Error(got)
	}
}

// Every value that a directive shows must be one that it takes back: CONFIG SET
// relies on it to undo, CONFIG REWRITE to be read again.
func TestValuesComeBack(t *testing.T) {
	c := New()
	for _, d := range c.table {
		if d.effect == Refused {
			continue
		}
		before := d.value.text()
		if err := d.value.set(d.value.args()); err != nil || d.value.text() != before {
			t.Errorf("%s: args %q: %v, %q became %q", d.name, d.value.args(), err, before, d.value.text())
		}
		for i, args := range lines(d.value) {
			set := d.value.set
			a, adds := d.value.(adder)
			if adds && i > 0 {
				set = a.add
			}
			if err := set(args); err != nil || !adds && d.value.text() != before {
				t.Errorf("%s: line %q: %v, %q became %q", d.name, args, err, before, d.value.text())
			}
		}
		if d.value.text() != before {
			t.Errorf("%s: lines %q: %q became %q", d.name, lines(d.value), before, d.value.text())
		}
	}
}
