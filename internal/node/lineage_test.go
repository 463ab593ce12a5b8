package node

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/topology"
)

// TestLineage follows runs of a node: who is named to the next one, and when.
func TestLineage(t *testing.T) {
	dir := t.TempDir()
	life := 0
	begin := func(whole bool) (*lineage, []topology.RunID) {
		t.Helper()
		life++
		l, err := openLineage(disk.OS{}, dir, topology.RunID(fmt.Sprintf("%016x", life)), zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		if err := l.settle(whole); err != nil {
			t.Fatal(err)
		}
		return l, l.Continues(context.Background())
	}
	run := func(n int) topology.RunID { return topology.RunID(fmt.Sprintf("%016x", n)) }
	expect := func(got []topology.RunID, want ...topology.RunID) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Fatalf("run %d continues %v, want %v", life, got, want)
		}
	}

	l, got := begin(true)
	expect(got)
	if l.strict.Load() {
		t.Fatal("strict without a word")
	}
	l.tend(true, 100, 50)
	if !l.strict.Load() {
		t.Fatal("it acknowledges what is not on disk")
	}
	l.tend(true, 200, 99) // not yet what it had acknowledged before it was strict
	_, got = begin(true)
	expect(got)

	l, _ = begin(true)
	l.tend(true, 100, 50)
	l.tend(true, 200, 100)
	l, got = begin(true) // dies before it is announced
	expect(got, run(3))
	if !l.strict.Load() {
		t.Fatal("run 4 is not strict")
	}
	l, got = begin(true)
	expect(got, run(3), run(4))
	l.tend(false, 300, 300) // out of the set, or no longer always
	if l.strict.Load() {
		t.Fatal("strict for nobody")
	}
	_, got = begin(true)
	expect(got)

	l, _ = begin(true)
	l.tend(true, 1, 1)
	l.tend(true, 1, 1)
	_, got = begin(false) // the files are not there any more
	expect(got)
	_, got = begin(true)
	expect(got)

	l, _ = begin(true)
	l.tend(true, 1, 1)
	l.tend(true, 1, 1)
	if err := l.end(); err != nil { // about to take another data set
		t.Fatal(err)
	}
	_, got = begin(true)
	expect(got)

	l, _ = begin(true)
	l.tend(true, 1, 1)
	l.tend(true, 1, 1)
	for range 2 * maxLineage {
		_, got = begin(true)
	}
	if len(got) != maxLineage || got[len(got)-1] != run(life-1) {
		t.Fatalf("%d runs, the last one %s", len(got), got[len(got)-1])
	}
}
