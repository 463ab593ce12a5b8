package sorting_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/serial"
	"github.com/redwingdb/redwing/internal/commands/sorting"
	"github.com/redwingdb/redwing/internal/commands/str"
)

// pair is a Runner and a redis-server with the same keys.
type pair struct {
	t     *testing.T
	r     *commandtest.Runner
	redis *commandtest.Redis
}

func newPair(t *testing.T, o sorting.Deps) *pair {
	r := commandtest.NewRunner(t, 2, str.Specs(), keys.Specs(keys.Deps{}), serial.Specs(serial.Deps{}), sorting.Specs(o))
	return &pair{t, r, commandtest.StartRedis(t)}
}

// make runs a command at redis that makes key, and brings the key over.
func (p *pair) make(words ...string) {
	p.t.Helper()
	p.redis.Ask(words...)
	p.bring(words[1])
}

func (p *pair) bring(key string) {
	p.t.Helper()
	if got := p.r.Do("RESTORE", key, "0", p.redis.Ask("DUMP", key).Text, "REPLACE"); string(got) != "+OK\r\n" {
		p.t.Fatalf("%s: %s", key, got)
	}
}

// same runs a request on both.
func (p *pair) same(line string) {
	p.t.Helper()
	words := strings.Fields(line)
	for i, w := range words {
		if w == `""` {
			words[i] = ""
		}
	}
	want := p.redis.Do(words...)
	if got := p.r.Do(words...); !bytes.Equal(got, want) {
		p.t.Errorf("%s:\n%q, redis says\n%q", line, got, want)
	}
}

func fill(p *pair) {
	p.make("RPUSH", "l", "3", "1", "10", "-2", "2.5", "1e1", "7", "0x10", "")
	p.make("RPUSH", "words", "pear", "apple", "fig", "banana", "Apple", "fig", "10", "9")
	p.make("SADD", "s", "c", "a", "b", "12", "7")
	p.make("SADD", "ints", "12", "7", "-3", "5", "100")
	p.make("ZADD", "z", "1", "c", "2", "a", "3", "b", "4", "d")
	p.make("ZADD", "zn", "1", "30", "2", "10", "3", "20")
	for i, w := range []string{"pear", "apple", "fig", "banana", "Apple"} {
		p.make("SET", "weight_"+w, fmt.Sprint(10-i))
		p.make("SET", "name_"+w, "n"+w)
		p.make("HSET", "obj_"+w, "weight", fmt.Sprint(i%3), "name", "hash "+w)
	}
	p.make("SET", "weight_10", "not a number")
	p.make("RPUSH", "typed_fig", "a list")
	p.make("HSET", "h", "f", "v")
	var many []string
	for i := range 600 {
		many = append(many, fmt.Sprint(i*7919%601))
	}
	p.make(append([]string{"RPUSH", "many"}, many...)...)
	p.make(append([]string{"SADD", "manyset"}, many...)...)
}

var requests = []string{
	"SORT l", "SORT l DESC", "SORT l ALPHA", "SORT l LIMIT 2 3", "SORT l LIMIT 0 0", "SORT l LIMIT -5 3", "SORT l LIMIT 100 3", "SORT l LIMIT 3 -1",
	"SORT l LIMIT 9223372036854775807 9223372036854775807", "SORT l LIMIT -9223372036854775808 1", "SORT l LIMIT x 1", "SORT l LIMIT 0 x", "SORT l LIMIT 0",
	"SORT l DESC ASC", "SORT l LIMIT 1 2 DESC", "SORT l BY nosort", "SORT l BY nosort DESC", "SORT l BY nosort LIMIT 2 3", "SORT l BY nosort DESC LIMIT 2 3",
	"SORT l BY nosort LIMIT 20 3", "SORT l BY nosort GET # GET #",
	"SORT words", "SORT words ALPHA", "SORT words ALPHA DESC LIMIT 1 3", "SORT words BY weight_*", "SORT words BY weight_* LIMIT 0 2",
	"SORT words BY name_* ALPHA", "SORT words BY name_* ALPHA DESC", "SORT words BY obj_*->name ALPHA GET #", "SORT words BY missing_* GET # GET name_*",
	"SORT words ALPHA GET weight_* GET obj_*->name GET # GET nostar GET typed_* GET obj_*->nofield GET obj_* GET weight_*-> GET weight_*->f",
	"SORT words BY nosort GET name_* GET obj_*->weight", "SORT words BY typed_* ALPHA",
	"SORT s ALPHA", "SORT s ALPHA DESC", "SORT s", "SORT ints", "SORT ints DESC LIMIT 1 2", "SORT manyset LIMIT 10 5", "SORT many DESC LIMIT 590 20",
	"SORT z ALPHA", "SORT z", "SORT zn", "SORT z BY nosort", "SORT z BY nosort DESC", "SORT z BY nosort LIMIT 1 2", "SORT z BY nosort DESC LIMIT 1 2", "SORT zn DESC",
	"SORT h", "SORT weight_fig", "SORT none", "SORT none ALPHA GET #", "SORT none BY weight_*", "SORT", "SORT l BY", "SORT l GET", "SORT l STORE", "SORT l FOO", "SORT l BY x y",
	"SORT_RO l", "SORT_RO l DESC LIMIT 0 3", "SORT_RO words BY weight_* GET #", "SORT_RO l STORE x", "SORT_RO", "SORT_RO h", `SORT l BY ""`, `SORT l ALPHA GET ""`,
}

func TestLikeRedis(t *testing.T) {
	p := newPair(t, sorting.Deps{})
	fill(p)
	p.make("SET", "weight_10", "10")
	p.make("SET", "weight_9", "9")
	for _, line := range requests {
		p.same(line)
	}
	p.make("SET", "weight_10", "not a number")
	p.same("SORT words BY weight_*")
	p.redis.Do("HELLO", "3")
	p.r.UseRESP3()
	for _, line := range requests {
		p.same(line)
	}
}

// What is stored is what redis stores.
func TestStoreLikeRedis(t *testing.T) {
	p := newPair(t, sorting.Deps{})
	fill(p)
	for _, line := range []string{
		"SORT l STORE dst", "SORT words ALPHA DESC STORE dst", "SORT words ALPHA GET name_* GET nostar STORE dst", "SORT l STORE l", "SORT s BY nosort STORE dst",
		"SORT s BY nosort DESC STORE dst", "SORT many STORE dst", "SORT z BY nosort STORE z", "SORT ints STORE weight_fig", "SORT words STORE dst", "SORT h STORE dst",
	} {
		p.same(line)
		key := line[strings.LastIndexByte(line, ' ')+1:]
		theirs := p.redis.Ask("DUMP", key).Text
		p.redis.Ask("DEL", "theirs", "ours")
		p.redis.Ask("RESTORE", "theirs", "0", theirs)
		ours, err := commandtest.Parse(p.r.Do("DUMP", key))
		if err != nil {
			t.Fatal(err)
		}
		p.redis.Ask("RESTORE", "ours", "0", ours.Text)
		if a, b := p.redis.Ask("LRANGE", "theirs", "0", "-1").Strings(), p.redis.Ask("LRANGE", "ours", "0", "-1").Strings(); strings.Join(a, "|") != strings.Join(b, "|") {
			t.Errorf("%s stores %q, redis %q", line, b, a)
		}
	}
	p.same("SORT none STORE dst")
	p.same("EXISTS dst")
	p.same("SORT none STORE dst")
	if n := p.r.Keyspace.Len(p.r.Keyspace.StagingDB()); n != 0 {
		t.Errorf("%d keys left aside", n)
	}
}

func TestEffects(t *testing.T) {
	p := newPair(t, sorting.Deps{})
	fill(p)
	for _, c := range []struct{ line, effects string }{
		{"SORT zn STORE dst", "RPUSH dst 10 20 30"},
		{"SORT zn DESC STORE dst", "DEL dst ; RPUSH dst 30 20 10"},
		{"SORT zn DESC", ""},
		{"SORT none STORE dst", "DEL dst"},
		{"SORT none STORE dst", ""},
		{"SORT words STORE dst", ""},
	} {
		p.r.Do(strings.Fields(c.line)...)
		if got := strings.Join(p.r.Effects(), " ; "); got != c.effects {
			t.Errorf("%s: effects %q, want %q", c.line, got, c.effects)
		}
	}
}

// On a node of a cluster nothing is looked up that is not named.
func TestCluster(t *testing.T) {
	p := newPair(t, sorting.Deps{Cluster: true})
	fill(p)
	for line, want := range map[string]string{
		"SORT l BY weight_*":           "-ERR BY option of SORT denied in cluster mode.",
		"SORT l GET #":                 "-ERR GET option of SORT denied in cluster mode.",
		"SORT_RO l GET weight_*":       "-ERR GET option of SORT denied in cluster mode.",
		"SORT zn BY nosort LIMIT 0 1":  "*1\r\n$2\r\n30",
		"SORT zn LIMIT 0 1 STORE zn2 ": ":1",
	} {
		if got := string(p.r.Do(strings.Fields(line)...)); got != want+"\r\n" {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
