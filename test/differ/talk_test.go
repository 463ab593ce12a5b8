package differ

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/resp"
)

//go:embed talk
var talkScripts embed.FS

// TestTalk runs scripts of several connections on redis-server and on a node of ours.
// A line begins with the name of a connection:
//
//	a get k       sends and takes one reply
//	a! blpop k 0  sends
//	a? 2          takes two replies, which may be messages
//	a=            takes all messages that have come, up to the reply of a PING
//	a~ ...        takes one reply without order
//	a- hello 3    takes one reply and does not look at it
//	blocked 2     waits until two clients are blocked
//	sleep 20      waits for so many milliseconds: a key shall expire
func TestTalk(t *testing.T) {
	known, err := LoadKnown("talk ")
	if err != nil {
		t.Fatal(err)
	}
	files, err := talkScripts.ReadDir("talk")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		text, err := talkScripts.ReadFile("talk/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(f.Name(), ".txt")
		t.Run(name, func(t *testing.T) {
			theirs, ours := newTalk(t, commandtest.StartRedis(t)), newTalk(t, startServer(t))
			for i, line := range strings.Split(string(text), "\n") {
				line = strings.TrimSpace(line)
				if line == "" || line[0] == '#' {
					continue
				}
				at := fmt.Sprintf("talk %s:%d: %s", name, i+1, line)
				r, o := theirs.line(at, line), ours.line(at, line)
				if err := known.Check("talk "+name+": "+line, r, o); err != nil {
					t.Errorf("line %d: %v", i+1, err)
				}
			}
		})
	}
	if gone := known.Gone(); len(gone) > 0 && !t.Failed() {
		t.Errorf("differences of known.tsv that have gone: %q", gone)
	}
}

// talk are the connections of a script to one server.
type talk struct {
	t     *testing.T
	first *commandtest.Redis
	conns map[string]*commandtest.Redis
}

func newTalk(t *testing.T, first *commandtest.Redis) *talk {
	return &talk{t, first, map[string]*commandtest.Redis{}}
}

// line runs one line and returns the bytes of what it has taken.
func (k *talk) line(at, line string) string {
	who, rest, _ := strings.Cut(line, " ")
	switch who {
	case "blocked":
		k.awaitBlocked(at, rest)
		return ""
	case "sleep":
		ms, err := strconv.Atoi(rest)
		if err != nil {
			k.t.Fatalf("%s: %v", at, err)
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
		return ""
	}
	how := who[len(who)-1]
	name := strings.TrimRight(who, "!?~-=")
	c := k.conns[name]
	if c == nil {
		c = k.first.Again()
		k.conns[name] = c
	}
	take := 1
	switch how {
	case '=':
		c.Send(commandRequest([]string{"PING"}))
		return k.messages(at, c)
	case '?':
		n, err := strconv.Atoi(rest)
		if err != nil {
			k.t.Fatalf("%s: %v", at, err)
		}
		take = n
	default:
		words, err := splitWords(rest)
		if err != nil {
			k.t.Fatalf("%s: %v", at, err)
		}
		c.Send(commandRequest(words))
		if how == '!' {
			take = 0
		}
	}
	got := ""
	for range take {
		raw, err := c.Receive()
		if err != nil {
			k.t.Fatalf("%s: %v", at, err)
		}
		got += string(raw)
	}
	switch how {
	case '~':
		got = inOrder(got)
	case '-':
		got = ""
	}
	return got
}

// messages takes what comes before the reply of a PING, one a line.
func (k *talk) messages(at string, c *commandtest.Redis) (got string) {
	for {
		raw, err := c.Receive()
		if err != nil {
			k.t.Fatalf("%s: %v", at, err)
		}
		v, err := commandtest.Parse(raw)
		if err != nil {
			k.t.Fatalf("%s: %v", at, err)
		}
		if v.Text == "PONG" || len(v.Items) > 0 && v.Items[0].Text == "pong" {
			return got
		}
		got += strings.Join(v.Strings(), " ") + "\n"
	}
}

func (k *talk) awaitBlocked(at, n string) {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if strings.Contains(k.first.Ask("INFO", "clients").Text, "blocked_clients:"+n+"\r\n") {
			return
		}
	}
	k.t.Fatalf("%s: %s", at, k.first.Ask("INFO", "clients").Text)
}

func commandRequest(words []string) []byte {
	return resp.AppendCommand(nil, commandtest.Args(words...)...)
}
