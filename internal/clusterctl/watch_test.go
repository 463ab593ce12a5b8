package clusterctl

import (
	"context"
	"slices"
	"testing"

	"github.com/redwingdb/redwing/internal/clusterctl/fakecluster"
)

func TestWatchMigrations(t *testing.T) {
	w, c := fakecluster.Formed(t, 3, 0), dial(t)
	if jobs := must[[]Migration](t)(WatchMigrations(context.Background(), c, w.Node(1).Addr, &record{})); len(jobs) != 0 {
		t.Errorf("of nothing: %+v", jobs)
	}
	w.SlowMoves(-1)
	begin(t, w, c, ReshardOptions{To: w.Node(2).Addr, From: []string{w.Node(0).Addr}, Slots: 10})
	w.SlowMoves(1)
	seen := &record{}
	jobs := must[[]Migration](t)(WatchMigrations(context.Background(), c, w.Node(1).Addr, seen))
	if len(jobs) != 1 || jobs[0].State != "success" || !slices.Contains(seen.moved, "done") {
		t.Errorf("%+v, progress %q", jobs, seen.moved)
	}
}

func TestWatchTellsOfFailure(t *testing.T) {
	w, c := fakecluster.Formed(t, 3, 0), dial(t)
	w.SlowMoves(-1)
	begin(t, w, c, ReshardOptions{To: w.Node(2).Addr, From: []string{w.Node(0).Addr}, Slots: 10})
	jobs, err := WatchMigrations(context.Background(), c, w.Node(1).Addr, &endOnMoved{f: func() { w.EndMoves("no room") }})
	wantErr(t, err, nil, "1 of 1 moves did not succeed", "failed no room")
	if len(jobs) != 1 {
		t.Errorf("%+v", jobs)
	}
}

// endOnMoved is a Progress that does something at the first word on moves.
type endOnMoved struct {
	record
	f func()
}

func (e *endOnMoved) Moved(done, total int, share float64, phase string) {
	e.f()
	e.record.Moved(done, total, share, phase)
}

func TestWatchInterrupted(t *testing.T) {
	w, c := fakecluster.Formed(t, 2, 0), dial(t)
	w.SlowMoves(-1)
	begin(t, w, c, ReshardOptions{To: w.Node(1).Addr, Slots: 10})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := WatchMigrations(ctx, c, w.Node(0).Addr, &endOnMoved{f: cancel})
	wantErr(t, err, context.Canceled, "interrupted")
}

func TestShare(t *testing.T) {
	half := Migration{Slots: "0-9", KeysDone: 5, KeysTotal: 10}
	over := Migration{Slots: "10-19", KeysDone: 11, KeysTotal: 10} // keys come and go while they are copied
	unknown := Migration{Slots: "20-29"}
	for _, c := range []struct {
		done, total int
		running     []Migration
		want        float64
	}{
		{0, 40, nil, 0}, {10, 40, nil, 0.25}, {40, 40, nil, 1}, {0, 0, nil, 0},
		{0, 40, []Migration{half}, 0.125}, {10, 40, []Migration{half, over, unknown}, 0.625},
		{35, 40, []Migration{over}, 1},
	} {
		if got := share(c.done, c.total, c.running); got != c.want {
			t.Errorf("%d of %d, %v: %v, want %v", c.done, c.total, c.running, got, c.want)
		}
	}
}
