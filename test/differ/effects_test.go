package differ

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/test/differ/generate"
)

const (
	effectSequences      = 600 // of every type
	effectSequencesShort = 30
)

// TestEffects runs generated sequences on one engine and what they stage on another: in
// the end both have the same data, expiries included, whatever chance and clock had a
// part in. It fails if a command that writes was never seen to stage anything.
func TestEffects(t *testing.T) {
	e := newEffects(t)
	g := generate.New(func(name string) bool { return hasCommand(e.from.Table, name) })
	perType := effectSequences
	if testing.Short() {
		perType = effectSequencesShort
	}
	for _, name := range g.Names() {
		for seed := range uint64(perType) {
			seq := g.Sequence(name, seed, sequenceLength)
			f := e.run(seq)
			if f == nil {
				continue
			}
			seq = shrink(seq, func(s [][]string) bool {
				again := e.run(s)
				return again != nil && again.kind == f.kind
			})
			if again := e.run(seq); again != nil {
				f = again
			}
			t.Errorf("SEED=%d TYPE=%s: %s\nshrunk to\n%s", seed, name, f.text, clip(script(seq)))
			break
		}
	}
	if t.Failed() {
		return
	}
	e.run(rareWrites)
	e.run(restores(e.from))
	for _, spec := range e.from.Table.All() {
		for _, s := range append([]*command.Spec{spec}, spec.SubSpecs()...) {
			if s.Has(command.Write) && s.Run != nil && !s.Has(command.OffLoop) && !e.staged[s] && !slices.Contains(effectless, s.FullName()) {
				t.Errorf("%s writes, but no sequence made it stage anything", s.FullName())
			}
		}
	}
}

// rareWrites are what sequences leave out or draw too seldom.
var rareWrites = [][]string{
	{"set", "a", "1"}, {"flushdb"}, {"set", "a", "1"}, {"flushall"}, {"set", "a", "1"}, {"swapdb", "0", "1"}, {"swapdb", "1", "0"},
	{"move", "a", "2"}, {"set", "b", "1"}, {"expire", "b", "1000"}, {"pexpire", "b", "1000000"}, {"setex", "b", "100", "v"}, {"psetex", "b", "100000", "v"},
	{"expireat", "b", "33177117420"}, {"pexpireat", "b", "33177117420000"}, {"persist", "b"}, {"flushall"},
	{"set", "a", "1"}, {"delex", "a", "ifeq", "1"}, {"set", "a", "1"}, {"delifeq", "a", "1"}, {"msetex", "1", "a", "1", "ex", "100"},
	{"xadd", "x", "1", "f", "v"}, {"xadd", "x", "2", "f", "v"}, {"xadd", "x", "3", "f", "v"}, {"xgroup", "create", "x", "g", "0"},
	{"xreadgroup", "group", "g", "c", "streams", "x", ">"}, {"xack", "x", "g", "1"}, {"xackdel", "x", "g", "ids", "1", "2"},
	{"xdelex", "x", "delref", "ids", "1", "3"}, {"xgroup", "delconsumer", "x", "g", "c"},
}

// restores are the commands that take the serialised form of a value.
func restores(s session) [][]string {
	s.do("set", "a", "1")
	v, err := commandtest.Parse([]byte(s.do("dump", "a")))
	if err != nil || v.Null {
		return nil
	}
	return [][]string{{"restore", "b", "0", v.Text}, {"restore-asking", "c", "33177117420000", v.Text, "absttl"}}
}

// effectless are the commands that write nothing a replica needs, or need another server
// to write.
var effectless = []string{"migrate"}

// effects is two engines, one fed with what the other stages.
type effects struct {
	t        *testing.T
	from, to session
	applier  *command.Applier
	staged   map[*command.Spec]bool
}

func newEffects(t *testing.T) *effects {
	e := &effects{t: t, from: boundedSession(t), to: boundedSession(t), staged: map[*command.Spec]bool{}}
	e.applier = command.NewApplier(e.to.Table, e.to.Keyspace)
	e.to.Mode = engine.ModeReplica
	return e
}

func (e *effects) run(seq [][]string) *failure {
	e.from.Keyspace.FlushAll()
	e.to.Keyspace.FlushAll()
	for _, words := range seq {
		e.from.do(words...)
		if len(e.from.Ctx.Block.Entries) > 0 {
			e.staged[e.from.Ctx.Spec] = true
		}
		apply(e.t, e.applier, e.from)
	}
	requests := [][]string{{"debug", "digest"}}
	for _, key := range generate.Keys {
		requests = append(requests, []string{"type", key}, []string{"pexpiretime", key}, []string{"debug", "digest-value", key})
		if hasCommand(e.from.Table, "xinfo stream") && strings.HasPrefix(e.from.do("type", key), "+stream") {
			requests = append(requests, []string{"xinfo", "stream", key, "full", "count", "0"})
		}
	}
	for _, key := range generate.Keys {
		if v, err := commandtest.Parse([]byte(e.from.do("hkeys", key))); err == nil && len(v.Items) > 0 {
			requests = append(requests, slices.Concat([]string{"hpexpiretime", key, "fields", strconv.Itoa(len(v.Items))}, v.Strings()))
		}
	}
	for _, words := range requests {
		a, b := e.from.do(words...), e.to.do(words...)
		if words[0] == "xinfo" {
			a, b = canonOf(words, a), canonOf(words, b)
		}
		if a != b {
			return &failure{words[0], strings.Join(words, " ") + "\n  first: " + clip(a) + "\nreplica: " + clip(b)}
		}
	}
	return nil
}
