package differ

import (
	"embed"
	"strings"
	"testing"

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
		redis.Ask("HELLO", "2")
		t.Run(name, func(t *testing.T) {
			runScript(t, known, redis, newSession(t), name, lines)
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

func runScript(t *testing.T, known *Known, redis *commandtest.Redis, ours session, name string, lines []line) {
	redis.Ask("SELECT", "0")
	redis.Ask("FLUSHALL")
	for _, l := range lines {
		theirs, mine := string(redis.Do(l.words...)), ours.do(l.words...)
		if l.sorted {
			theirs, mine = inOrder(theirs), inOrder(mine)
		}
		if err := known.Check("script "+name+": "+l.text, theirs, mine); err != nil {
			t.Error(err)
		}
	}
}
