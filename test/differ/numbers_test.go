package differ

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/test/differ/generate"
)

// numberKeys make a keyspace with a key of each type and encoding, named after it.
var numberKeys = [][]string{
	{"set", "string", "some text that is longer than a number"},
	{"set", "int", "12345"},
	{"pfadd", "hyperloglog", "a", "b", "c"},
	{"rpush", "list", "a", "b", "3", "1"},
	{"sadd", "set", "a", "b", "1"},
	{"sadd", "intset", "1", "2", "300"},
	{"hset", "hash", "a", "1", "f", "v"},
	{"zadd", "sorted-set", "1", "a", "2.5", "b", "3", "1"},
	{"zadd", "geo", "3479099956230698", "a", "3479447370796909", "b"},
	{"xadd", "stream", "1-1", "a", "1"},
	{"xgroup", "create", "stream", "g", "0"},
}

// allocBound is how much memory one request of these may take, in bytes: what the
// strings of maxBulk need and no more.
const allocBound = 16 << 20

// TestNumbers tries every numeric argument of every command on keys with every extreme
// number, on a key of the command's own type, and with some of them on keys of all
// others. Wanted are redis-server's replies, no panic, and no memory taken because a
// number said so.
func TestNumbers(t *testing.T) {
	known, err := LoadKnown("sequence ")
	if err != nil {
		t.Fatal(err)
	}
	p := newPair(t, known)
	syntax, groups := syntaxOf(p.redis), groupsOf(p.redis)
	var ready []string
	var setup [][]string
	for _, words := range numberKeys {
		if p.ours.Table.Lookup([]byte(words[0])) != nil {
			setup = append(setup, words)
			ready = append(ready, words[1])
		}
	}
	tried, commands, arguments := 0, 0, 0
	each := func(s *command.Spec) {
		name := strings.ReplaceAll(s.FullName(), "|", " ")
		targets := numbers(syntax[name])
		if s.Run == nil || s.Has(command.Admin) || len(targets) == 0 || name == "memory usage" { // bytes differ
			return
		}
		commands++
		failed := 0
		for _, target := range targets {
			arguments++
			for i, word := range generate.Extremes {
				if testing.Short() && i%8 != arguments%8 {
					continue
				}
				on := []string{keyFor(groups[name], ready)}
				if i%13 == 0 {
					on = ready
				}
				for _, key := range on {
					words := append(strings.Fields(name), render(syntax[name], target, word, key)...)
					if endless(words) {
						continue
					}
					tried++
					if f := p.tryNumber(setup, words); f != nil {
						if failed++; failed <= 3 {
							t.Errorf("%s, argument %s: %s", name, target.name, f.text)
						}
					}
				}
			}
		}
	}
	for _, s := range p.ours.Table.All() {
		each(s)
		for _, sub := range s.SubSpecs() {
			each(sub)
		}
	}
	t.Logf("%d requests with %d numeric arguments of %d commands", tried, arguments, commands)
}

// tryNumber runs one request on both sides, on fresh keys.
func (p *pair) tryNumber(setup [][]string, words []string) *failure {
	p.ours.Keyspace.FlushAll()
	questions := []question{{ask: [][]string{{"FLUSHALL"}}}}
	for _, s := range setup {
		p.answer(s)
		questions = append(questions, question{ask: [][]string{s}})
	}
	var before, after runtime.MemStats
	used := p.ours.Keyspace.UsedMemory()
	runtime.ReadMemStats(&before)
	raw := p.answer(words)
	runtime.ReadMemStats(&after)
	if n := int64(after.TotalAlloc-before.TotalAlloc) + p.ours.Keyspace.UsedMemory() - used; n > allocBound {
		return &failure{words[0], strings.Join(words, " ") + " took megabytes of memory"}
	}
	v, err := commandtest.Parse([]byte(raw))
	if err != nil {
		return &failure{words[0], raw}
	}
	q := questionFor(words, p.ours.blocking(words), v)
	answers := p.askAll(append(questions, q))
	if f := p.compare(words, q, answers[len(answers)-1], raw); f != apart {
		return f
	}
	return nil
}

// groupsOf returns the group of every command by its name.
func groupsOf(redis *commandtest.Redis) map[string]string {
	out := make(map[string]string)
	for name, doc := range redis.Ask("COMMAND", "DOCS").Pairs() {
		f := doc.Pairs()
		out[name] = f["group"].Text
		for sub := range f["subcommands"].Pairs() {
			out[strings.ReplaceAll(sub, "|", " ")] = f["group"].Text
		}
	}
	return out
}

// keyFor returns the key that commands of a group work on.
func keyFor(group string, ready []string) string {
	if slices.Contains(ready, group) {
		return group
	}
	return "string"
}
