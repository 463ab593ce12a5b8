package persist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/disk/disktest"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

func TestSavePolicy(t *testing.T) {
	points := []SavePoint{{100, 1}, {10, 50}}
	for _, c := range []struct {
		name         string
		p            savePolicy
		now, changes int64
		points       []SavePoint
		want         bool
	}{
		{"nothing changed", savePolicy{}, 1000, 0, points, false},
		{"no points", savePolicy{}, 1000, 99, nil, false},
		{"at the second, not yet", savePolicy{}, 100, 1, points, false},
		{"behind it", savePolicy{}, 101, 1, points, true},
		{"many changes", savePolicy{}, 11, 50, points, true},
		{"too few", savePolicy{}, 11, 49, points, false},
		{"since the last save", savePolicy{last: 1000}, 1011, 49, points, false},
		{"a point for no change", savePolicy{}, 61, 0, []SavePoint{{60, 0}}, true},
		{"scheduled", savePolicy{scheduled: true}, 0, 0, nil, true},
		{"failed just now", savePolicy{failing: true, tried: 1000}, 1005, 99, points, false},
		{"failed, again", savePolicy{failing: true, tried: 1000}, 1006, 99, points, true},
		{"failed, scheduled", savePolicy{failing: true, tried: 1000, scheduled: true}, 1005, 0, points, false},
		{"failed, scheduled, again", savePolicy{failing: true, tried: 1000, scheduled: true}, 1006, 0, points, true},
	} {
		if got := c.p.due(c.now, c.changes, c.points); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	p := savePolicy{scheduled: true}
	if p.began(7); p.scheduled || p.tried != 7 {
		t.Errorf("begun: %+v", p)
	}
	p.failed()
	if p.succeeded(9); p.failing || p.last != 9 {
		t.Errorf("succeeded: %+v", p)
	}
}

// hand is a clock that the test moves.
type hand struct {
	clock.Real
	at time.Time
}

func (h *hand) Now() time.Time { return h.at }

// rig is the saves of a keyspace on a file system that fails on demand.
type rig struct {
	t     *testing.T
	k     *engine.Keyspace
	fsys  *disktest.FS
	clock *hand
	set   SaveSettings
	pos   Position
	whole error
	turns *Turns
	*Saves
}

func newRig(t *testing.T) *rig {
	r := &rig{
		t: t, k: newKeyspace(t), fsys: disktest.New("/d"), clock: &hand{at: time.Unix(testNow/1000, 0)}, turns: NewTurns(),
		set: SaveSettings{Points: []SavePoint{{60, 1}}, StopWrites: true, Checksum: true},
		pos: NoPosition,
	}
	r.Saves = NewSaves(SavesOptions{
		FS: r.fsys, Path: dumpPath, Keyspace: r.k, Turns: r.turns, Clock: r.clock,
		Position: func() (Position, error) { return r.pos, r.whole },
		Settings: func() SaveSettings { return r.set },
	})
	t.Cleanup(r.Close)
	return r
}

// write changes a key as a command does.
func (r *rig) write(key, value string) {
	r.t.Helper()
	set(r.t, r.k, key, value, 0)
	r.k.NoteChanges(0, 1)
}

// saved loads what the file holds, "none" where there is none.
func saved(t *testing.T, fsys *disktest.FS) map[string]string {
	t.Helper()
	k := newKeyspace(t)
	_, err := load(fsys, k, ReadOptions{})
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{"none": ""}
	}
	if err != nil {
		t.Fatal(err)
	}
	return contents(t, k, 0, rdb.Version)
}

// await waits for a condition.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(time.Millisecond) { // the rate at which it is asked
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}

func (r *rig) idle() bool { return r.turns.Holder() == TurnNone }

// writing reports whether the first save has cut its snapshot and made its file.
func (r *rig) writing() bool { return len(r.fsys.Trace()) > 0 }

// background runs a save in the background to its end.
func (r *rig) background() {
	r.t.Helper()
	if started, err := r.Background(false); !started || err != nil {
		r.t.Fatalf("%v, %v", started, err)
	}
	await(r.t, "end of the save", r.idle)
}

func TestSaveCountsChanges(t *testing.T) {
	r := newRig(t)
	r.write("a", "1")
	r.write("b", "1")
	if st := r.Status(); st.Changes != 2 || st.LastSeconds != -1 || st.NowSeconds != -1 || st.LastSave != testNow/1000 {
		t.Errorf("%+v", st)
	}
	r.clock.at = r.clock.at.Add(7 * time.Second)
	if err := r.Save(context.Background()); err != nil {
		t.Fatal(err)
	}
	if st := r.Status(); st.Changes != 0 || st.LastSave != testNow/1000+7 || st.Saves != 1 || st.InProgress {
		t.Errorf("%+v", st)
	}
	if got := saved(t, r.fsys); len(got) != 2 {
		t.Errorf("%v", got)
	}
	r.write("a", "2")
	r.background()
	if st := r.Status(); st.Changes != 0 || st.LastSeconds != 0 || st.Saves != 2 || st.Failed {
		t.Errorf("%+v", st)
	}
}

// TestOneAtATime says what a save answers while another one, a rewrite or a full sync is
// under way.
func TestOneAtATime(t *testing.T) {
	r := newRig(t)
	gate := make(chan struct{})
	r.fsys.Add(disktest.Rule{Ops: disktest.Write, Times: 1, Wait: gate})
	r.write("a", "1")
	if started, err := r.Background(false); !started || err != nil {
		t.Fatal(started, err)
	}
	await(t, "progress", r.writing)
	if _, err := r.Background(true); !errors.Is(err, ErrSaving) {
		t.Errorf("BGSAVE within BGSAVE: %v", err)
	}
	if err := r.Save(context.Background()); !errors.Is(err, ErrSaving) {
		t.Errorf("SAVE within BGSAVE: %v", err)
	}
	if r.Status().NowSeconds != 0 {
		t.Errorf("%+v", r.Status())
	}
	r.Tick() // nothing is due
	r.write("later", "1")
	close(gate)
	await(t, "end of the save", r.idle)
	if st := r.Status(); st.Changes != 1 {
		t.Errorf("%+v: what was written meanwhile is not saved", st)
	}

	r.turns.Try(TurnSync)
	if _, err := r.Background(false); !errors.Is(err, ErrSaving) {
		t.Errorf("BGSAVE within a full sync: %v", err)
	}
	r.turns.Done()

	r.turns.Try(TurnRewrite)
	if _, err := r.Background(false); !errors.Is(err, ErrBusy) {
		t.Errorf("BGSAVE within a rewrite: %v", err)
	}
	if started, err := r.Background(true); started || err != nil {
		t.Errorf("BGSAVE SCHEDULE within a rewrite: %v, %v", started, err)
	}
	r.Tick()
	if r.Status().Saves != 1 {
		t.Error("a scheduled save has begun while the rewrite is under way")
	}
	done := make(chan error)
	go func() { done <- r.Save(context.Background()) }() // it waits for the rewrite
	r.turns.Done()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.Tick()
	await(t, "the scheduled save", func() bool { return r.Status().Saves == 3 && r.idle() })
}

func TestSavePointsBeginSaves(t *testing.T) {
	r := newRig(t)
	r.write("a", "1")
	r.clock.at = r.clock.at.Add(60 * time.Second)
	if r.Tick(); r.Status().Saves != 0 {
		t.Fatal("too early")
	}
	r.clock.at = r.clock.at.Add(time.Second)
	r.Tick()
	await(t, "save", func() bool { return r.Status().Saves == 1 && r.idle() })
	if r.clock.at = r.clock.at.Add(time.Hour); r.Status().Changes != 0 {
		t.Fatalf("%+v", r.Status())
	}
	if r.Tick(); r.Status().Saves != 1 {
		t.Fatal("saved without a change")
	}
}

// TestFailingDisk: whatever fails, the old file stays, nothing half-written is left, writes
// are refused until a save succeeds, and it is tried again after 5 seconds.
func TestFailingDisk(t *testing.T) {
	for name, breakIt := range map[string]func(f *disktest.FS){
		"EIO on open":      func(f *disktest.FS) { f.Add(disktest.Rule{Ops: disktest.Open, Err: syscall.EIO}) },
		"EIO on write":     func(f *disktest.FS) { f.Add(disktest.Rule{Ops: disktest.Write, Err: syscall.EIO}) },
		"short write":      func(f *disktest.FS) { f.Add(disktest.Rule{Ops: disktest.Write, Err: syscall.ENOSPC, Short: 10}) },
		"full disk":        func(f *disktest.FS) { f.SetCapacity(70) },
		"EIO on sync":      func(f *disktest.FS) { f.Add(disktest.Rule{Ops: disktest.Sync, Err: syscall.EIO}) },
		"EIO on close":     func(f *disktest.FS) { f.Add(disktest.Rule{Ops: disktest.Close, Err: syscall.EIO}) },
		"EIO on rename":    func(f *disktest.FS) { f.Add(disktest.Rule{Ops: disktest.Rename, Err: syscall.EIO}) },
		"read-only folder": func(f *disktest.FS) { f.SetReadOnly(true) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.write("a", "old")
			if err := r.Save(context.Background()); err != nil {
				t.Fatal(err)
			}
			r.write("a", "new")
			breakIt(r.fsys)
			if err := r.Save(context.Background()); err == nil || r.DeniesWrites() {
				t.Fatalf("SAVE: %v, and it alone refuses no writes", err)
			}
			r.background()
			if st := r.Status(); !st.Failed || st.Changes != 1 || !r.DeniesWrites() {
				t.Fatalf("%+v, writes refused: %v", st, r.DeniesWrites())
			}
			r.set.StopWrites = false
			if r.DeniesWrites() {
				t.Error("stop-writes-on-bgsave-error no")
			}
			r.set.StopWrites = true
			points := r.set.Points
			if r.set.Points = nil; r.DeniesWrites() {
				t.Error("refused without save points")
			}
			r.set.Points = points
			if got := saved(t, healthy(r.fsys)); !strings.Contains(got["a"], "old") || len(got) != 1 {
				t.Fatalf("the file holds %q", got)
			}
			if got := r.fsys.Names("/d"); !slices.Equal(got, []string{"dump.rdb"}) && name != "read-only folder" {
				t.Fatalf("left behind: %q", got)
			}
			r.fsys.Heal()
			r.clock.at = r.clock.at.Add(5 * time.Second)
			r.set.Points = []SavePoint{{1, 1}}
			if r.Tick(); r.Status().Saves != 3 {
				t.Fatal("tried again too early")
			}
			r.clock.at = r.clock.at.Add(time.Second)
			r.Tick()
			await(t, "good save", func() bool { return !r.Status().Failed && r.idle() })
			if got := saved(t, r.fsys); r.DeniesWrites() || !strings.Contains(got["a"], "new") {
				t.Fatalf("writes refused: %v, the file holds %q", r.DeniesWrites(), got)
			}
		})
	}
}

// healthy is a copy of what a file system shows, without its faults.
func healthy(f *disktest.FS) *disktest.FS {
	out := disktest.New("/d")
	for _, name := range f.Names("/d") {
		if b, err := f.ReadFile("/d/" + name); err == nil {
			out.WriteFile("/d/"+name, b)
		}
	}
	return out
}

// TestCrashAnywhere crashes before every operation of a save and after the last one: there
// is the old file or the new one, whole, and once the save has said so the new one.
func TestCrashAnywhere(t *testing.T) {
	value := strings.Repeat("value ", 50_000) // some writes
	build := func() *rig {
		r := newRig(t)
		r.write("k", "old")
		if err := r.Save(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.write("k", "new")
		rnd := rand.New(rand.NewPCG(1, 5))
		for i := range 3 {
			r.write(fmt.Sprint(i), string(randomBytes(rnd, len(value))))
		}
		return r
	}
	dry := build()
	before := len(dry.fsys.Trace())
	if err := dry.Save(context.Background()); err != nil {
		t.Fatal(err)
	}
	steps := dry.fsys.Trace()[before:]
	if len(steps) < 8 {
		t.Fatalf("only %q", steps)
	}
	seeds := uint64(20)
	if testing.Short() {
		seeds = 4
	}
	seen := map[string]int{}
	for at := range len(steps) + 1 {
		r := build()
		r.fsys.Add(disktest.Rule{Ops: disktest.Changes, After: at, Crash: true})
		err := r.Save(context.Background())
		if (err == nil) != (at == len(steps)) {
			t.Fatalf("crash before %d of %q: %v", at, steps, err)
		}
		for seed := range seeds {
			after := r.fsys.Crash(seed)
			if err := RemoveTemporary(after, "/d", func(int) bool { return false }); err != nil {
				t.Fatal(err)
			}
			if got := after.Names("/d"); !slices.Equal(got, []string{"dump.rdb"}) {
				t.Fatalf("crash before %d of %q, seed %d: the folder holds %q", at, steps, seed, got)
			}
			got := saved(t, after)
			which := "old"
			if strings.Contains(got["k"], "new") {
				which = "new"
			}
			if len(got) != map[string]int{"old": 1, "new": 4}[which] || err == nil && which == "old" {
				t.Fatalf("crash before %d of %q, seed %d: %d keys, %s", at, steps, seed, len(got), which)
			}
			seen[which]++
		}
	}
	if seen["old"] == 0 || seen["new"] == 0 {
		t.Fatalf("the crashes leave %v", seen)
	}
}

func randomBytes(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// TestFlushCallsOff: FLUSHALL ends the save under way, which is no failure, and has the
// empty data set saved.
func TestFlushCallsOff(t *testing.T) {
	r := newRig(t)
	gate := make(chan struct{})
	r.fsys.Add(disktest.Rule{Ops: disktest.Write, Times: 1, Wait: gate})
	r.write("a", "1")
	if _, err := r.Background(false); err != nil {
		t.Fatal(err)
	}
	await(t, "progress", r.writing)
	r.k.Own(r.k.AllShards())
	r.k.FlushAll()
	r.Flushed()
	r.k.Disown(r.k.AllShards())
	close(gate)
	await(t, "end of the save", r.idle)
	if got := r.fsys.Names("/d"); len(got) != 0 || r.Status().Failed {
		t.Fatalf("%q, %+v", got, r.Status())
	}
	r.Tick()
	await(t, "second save", func() bool { return r.Status().Saves == 2 && r.idle() })
	if got := saved(t, r.fsys); len(got) != 0 {
		t.Fatalf("the file holds %q", got)
	}
	r.set.Points = nil
	if r.Flushed(); r.mu.policy.scheduled {
		t.Error("a save without save points")
	}
}

func TestFinalGoesBeforeTheBackground(t *testing.T) {
	r := newRig(t)
	gate := make(chan struct{})
	r.fsys.Add(disktest.Rule{Ops: disktest.Write, Times: 1, Wait: gate})
	r.write("a", "1")
	if _, err := r.Background(false); err != nil {
		t.Fatal(err)
	}
	await(t, "progress", r.writing)
	r.write("b", "1")
	done := make(chan error)
	go func() { done <- r.Final(context.Background()) }()
	close(gate)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := saved(t, r.fsys); len(got) != 2 {
		t.Fatalf("the file holds %q", got)
	}
	r.Close()
	if started, err := r.Background(false); err == nil {
		t.Errorf("begun behind the end: %v", started)
	}
}

// TestNoDataNoFile: what is loading, or is being replaced, is not saved over a good file.
func TestNoDataNoFile(t *testing.T) {
	r := newRig(t)
	r.whole = ErrNoData
	if err := r.Save(context.Background()); !errors.Is(err, ErrNoData) {
		t.Fatal(err)
	}
	r.background()
	if r.Status().Failed || len(r.fsys.Names("/d")) != 0 {
		t.Fatalf("%+v, %q", r.Status(), r.fsys.Names("/d"))
	}
}

func TestTemporaryFilesOfTheDeadAreRemoved(t *testing.T) {
	fsys := disktest.New("/d")
	for _, name := range []string{"temp-17.rdb", "temp-18.rdb", "temp-19.rdb.bak", "temp-x.rdb", "temp-017.rdb", "dump.rdb"} {
		fsys.WriteFile("/d/"+name, nil)
	}
	if err := RemoveTemporary(fsys, "/d", func(pid int) bool { return pid == 18 }); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(fsys.Names("/d"), " "); got != "dump.rdb temp-017.rdb temp-18.rdb temp-19.rdb.bak temp-x.rdb" {
		t.Errorf("left: %s", got)
	}
}
