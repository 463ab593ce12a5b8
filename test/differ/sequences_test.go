package differ

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/redwingdb/redwing/test/differ/generate"
)

const (
	sequenceLength     = 100
	sequenceCommands   = 1_000_000 // over all types
	sequencesShort     = 25        // a type
	sequencesToBeKnown = 800       // sequences a type, from which on every known difference is met
)

// TestSequences runs generated sequences of every type whose commands are in the table
// on redis-server and on our handlers, in RESP2 and RESP3. A sequence that differs is
// shrunk. SEED chooses the sequences (in a short run they are always the same ones),
// TYPE one type, COMMANDS how many.
func TestSequences(t *testing.T) {
	known, err := LoadKnown("sequence ")
	if err != nil {
		t.Fatal(err)
	}
	p := newPair(t, known)
	g := generate.New(p.has())
	seed, perType := uint64(1), sequencesShort
	if !testing.Short() {
		seed, perType = uint64(time.Now().UnixNano()), sequenceCommands/sequenceLength/len(g.Names())
	}
	if s := os.Getenv("SEED"); s != "" {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if s := os.Getenv("COMMANDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		perType = max(1, n/sequenceLength/len(g.Names()))
	}
	only := os.Getenv("TYPE")
	for _, name := range g.Names() {
		if only != "" && only != name {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p.t = t
			for i := range perType {
				p.runSeed(t, g, name, seed+uint64(i))
				if t.Failed() {
					return
				}
			}
			t.Logf("%d commands from SEED=%d", perType*sequenceLength, seed)
		})
	}
	p.t = t
	p.use(false)
	for _, seq := range rareSequences {
		if f := p.run(parsed(t, seq)); f != nil {
			t.Errorf("%s: %s", seq, f.text)
		}
	}
	if perType >= sequencesToBeKnown && only == "" && !t.Failed() {
		if gone := known.Gone(); len(gone) > 0 {
			t.Errorf("differences of known.tsv that have gone: %q", gone)
		}
	}
}

// rareSequences meet known differences that generated ones seldom meet. Each ends at the
// first request that only one side refuses.
var rareSequences = []string{
	"rpush k0 a\nlrem k0 -9223372036854775808 a",
	"rpush k0 a\nlpos k0 a rank -9223372036854775808",
	"xadd k0 1-1 f v\nxread block 9223372036854775807 streams k0 0",
	"xadd k0 1-1 f v\nxgroup create k0 g1 0\nxreadgroup group g1 c block 9223372036854775807 streams k0 >",
	"xadd k0 1-1 f v\nxgroup create k0 g1 0\nxreadgroup group g1 c streams k0 +",
	"set k1 v\nxread streams k0 k1 + $",
	"bitpos k0 0 5 9 nibble",
	"bitpos k0 1 5 9 nibble",
	"bitpos k0 1 x",
	"bitpos k0 0 x",
	"bitcount k0 x 1",
	"bitcount k0 0 1 nibble",
}

func parsed(t *testing.T, text string) (seq [][]string) {
	lines, err := parseScript(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		seq = append(seq, l.words)
	}
	return seq
}

// runSeed runs one sequence and reports its difference, shrunk.
func (p *pair) runSeed(t *testing.T, g *generate.Generator, name string, seed uint64) {
	t.Helper()
	p.use(seed%2 == 0)
	seq := g.Sequence(name, seed, sequenceLength)
	f := p.run(seq)
	if f == nil {
		return
	}
	kind := f.kind
	seq = shrink(seq, func(s [][]string) bool {
		again := p.run(s)
		return again != nil && again.kind == kind
	})
	if again := p.run(seq); again != nil {
		f = again
	}
	t.Errorf("SEED=%d TYPE=%s, RESP3 %v: %s\nshrunk to\n%s", seed, name, p.resp3, f.text, clip(script(seq)))
}
