package differ

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
)

//go:embed scripts
var scripts embed.FS

// TestScripts runs every golden script on redis-server and on our handlers.
func TestScripts(t *testing.T) {
	known, err := LoadKnown("script ")
	if err != nil {
		t.Fatal(err)
	}
	redis := commandtest.StartRedis(t)
	files, err := scripts.ReadDir("scripts")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".txt")
		text, err := scripts.ReadFile("scripts/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		lines, err := parseScript(string(text))
		if err != nil || len(lines) == 0 {
			t.Fatalf("%s: %d lines, %v", f.Name(), len(lines), err)
		}
		ours := newSession(t)
		if missing := missingCommands(ours.Table, redis, lines); len(missing) > 0 {
			known.Excuse("script " + name + ": ")
			t.Logf("%s waits for %q", f.Name(), missing)
			continue
		}
		redis.Ask("HELLO", "2")
		t.Run(name, func(t *testing.T) {
			runScript(t, known, redis, ours, name, lines)
		})
		redis.Ask("HELLO", "3")
		t.Run(name+" in RESP3", func(t *testing.T) {
			ours := newSession(t)
			ours.UseRESP3()
			runScript(t, known, redis, ours, name, lines)
		})
	}
	if gone := known.Gone(); len(gone) > 0 && !t.Failed() {
		t.Errorf("differences of known.tsv that have gone: %q", gone)
	}
}

// missingCommands returns the commands of a script that redis-server has and t has not:
// scripts may be there before what they are about.
func missingCommands(t *command.Table, redis *commandtest.Redis, lines []line) (missing []string) {
	theirs := redis.Ask("COMMAND", "LIST").Strings()
	for _, l := range lines {
		name := strings.ToLower(l.words[0])
		if name != "select" && t.Lookup([]byte(name)) == nil && slices.Contains(theirs, name) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// TestScriptsCount tells how many cases there are by hand, and fails where a script
// holds what redis-server does not know at all.
func TestScriptsCount(t *testing.T) {
	redis := commandtest.StartRedis(t)
	files, err := scripts.ReadDir("scripts")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, f := range files {
		text, err := scripts.ReadFile("scripts/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		lines, err := parseScript(string(text))
		if err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		redis.Ask("SELECT", "0")
		redis.Ask("FLUSHALL")
		for _, l := range lines {
			reply := redis.Do(l.words...)
			if bytes.HasPrefix(reply, []byte("-ERR unknown command")) && strings.HasPrefix(f.Name(), "edge-") {
				t.Errorf("%s: %s: %s", f.Name(), l.text, reply)
			}
			if os.Getenv("SHOW") == f.Name() {
				fmt.Printf("%s -> %s\n", l.text, commandtest.Plain(reply))
			}
		}
		t.Logf("%-20s %5d cases", f.Name(), len(lines))
		total += len(lines)
	}
	t.Logf("%d cases by hand", total)
	if total < leastScriptCases {
		t.Errorf("%d cases by hand, want at least %d", total, leastScriptCases)
	}
}

// leastScriptCases is how many cases by hand all types have together.
const leastScriptCases = 2000

func runScript(t *testing.T, known *Known, redis *commandtest.Redis, ours session, name string, lines []line) {
	redis.Ask("SELECT", "0")
	redis.Ask("FLUSHALL")
	for _, l := range lines {
		theirs, mine := string(redis.Do(l.words...)), ours.do(l.words...)
		if err := checkLine(known, "script "+name, l, theirs, mine); err != nil {
			t.Error(err)
		}
	}
}

// checkLine compares the replies to a line. Where they differ in the form of doubles
// alone, and no row of the list is about the line, one row is about all of them.
func checkLine(known *Known, script string, l line, theirs, mine string) error {
	if !l.sorted {
		err := known.Check(script+": "+l.text, theirs, mine)
		if err == nil {
			return nil
		}
		if v, perr := commandtest.Parse([]byte(theirs)); perr == nil {
			if short, changed := shorten(v); changed && plain(short) == canonPlain(mine) {
				return known.Check("script doubles", "17 digits", "shortest")
			}
		}
		return err
	}
	return known.Check(script+": "+l.text, inOrder(theirs), inOrder(mine))
}

// canonPlain writes the bytes of a reply as plain does.
func canonPlain(raw string) string {
	v, err := commandtest.Parse([]byte(raw))
	if err != nil {
		return raw
	}
	return plain(v)
}
