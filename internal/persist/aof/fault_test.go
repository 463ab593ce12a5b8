package aof

import (
	"context"
	"maps"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/disk/disktest"
	"github.com/redwingdb/redwing/internal/effects"
)

func (n *node) awaitState(want State) {
	n.t.Helper()
	timer := time.AfterFunc(time.Minute, func() { n.tell(func() { n.t.Errorf("state %d never comes", want); n.state = want }) })
	defer timer.Stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.state != want {
		n.cond.Wait()
	}
}

// TestFaults makes the disk fail in every way while blocks are appended: nothing is
// acknowledged from then on, what was acknowledged is there after a crash, and a rewrite
// to a disk that works again brings everything back.
func TestFaults(t *testing.T) {
	for name, fault := range map[string]func(fsys *disktest.FS){
		"full": func(fsys *disktest.FS) { fsys.SetCapacity(700) },
		"short": func(fsys *disktest.FS) {
			fsys.Add(disktest.Rule{Ops: disktest.Write, After: 3, Err: syscall.ENOSPC, Short: 9})
		},
		"eio": func(fsys *disktest.FS) { fsys.Add(disktest.Rule{Ops: disktest.Write, After: 2, Err: syscall.EIO}) },
		"fsync": func(fsys *disktest.FS) {
			fsys.Add(disktest.Rule{Ops: disktest.Sync, After: 2, Err: syscall.EIO, Times: 1})
		},
		"read-only": func(fsys *disktest.FS) { fsys.SetReadOnly(true) },
		"no cut": func(fsys *disktest.FS) {
			fsys.Add(disktest.Rule{Ops: disktest.Write, After: 2, Err: syscall.ENOSPC, Short: 20})
			fsys.Add(disktest.Rule{Ops: disktest.Truncate, Err: syscall.EIO})
		},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := disktest.New("/data")
			n := newNode(t, fsys)
			must(t, n.a.Rewrite(context.Background(), true))
			n.put("0/first=1")
			fault(fsys)
			acked := 1
			for i := range 40 {
				if n.put("0/k=" + strings.Repeat("x", i)) {
					acked++
				}
			}
			if n.a.State() != Broken || n.a.Failure() == nil {
				t.Fatalf("state %d, failure %v", n.a.State(), n.a.Failure())
			}
			if acked > 39 {
				t.Fatalf("%d blocks acknowledged", acked)
			}
			if n.a.Behind() {
				t.Error("writers wait for a file that is not written")
			}
			for seed := range uint64(20) {
				found, err := load(t, fsys.Crash(seed), false)
				must(t, err)
				if got := prefix(n.s.history, found.s.data); got < acked {
					t.Fatalf("seed %d: acknowledged %d, found %d", seed, acked, got)
				}
			}
		})
		t.Run(name+", recovered", func(t *testing.T) {
			fsys := disktest.New("/data")
			n := newNode(t, fsys)
			must(t, n.a.Rewrite(context.Background(), true))
			fault(fsys)
			for i := range 40 {
				n.put("0/k=" + strings.Repeat("x", i))
			}
			n.awaitState(Broken)
			if name != "fsync" {
				if err := n.a.Rewrite(context.Background(), true); err == nil && name != "full" {
					t.Error("a rewrite goes well on a disk that fails")
				}
			}
			fsys.Heal()
			must(t, n.a.Rewrite(context.Background(), true))
			if n.a.Failure() != nil || n.a.State() != On {
				t.Fatalf("state %d, failure %v", n.a.State(), n.a.Failure())
			}
			if !n.put("0/last=1") {
				t.Fatal("not acknowledged")
			}
			found, err := load(t, fsys.Crash(1), false)
			must(t, err)
			if !maps.Equal(found.s.data, n.s.data) {
				t.Errorf("found %v, wanted %v", found.s.data, n.s.data)
			}
		})
	}
}

// TestRewriteFails leaves everything as it was, and the file is written on.
func TestRewriteFails(t *testing.T) {
	for name, rule := range map[string]disktest.Rule{
		"new increment": {Ops: disktest.Open, Name: "*.2.incr.aof", Err: syscall.EACCES, Times: 1},
		"base":          {Ops: disktest.Write, Name: "temp-rewriteaof-*", Err: syscall.EIO, Times: 1},
		"base synced":   {Ops: disktest.Sync, Name: "temp-rewriteaof-*", Err: syscall.EIO, Times: 1},
		"base renamed":  {Ops: disktest.Rename, Name: "*.base.rdb", Err: syscall.EIO, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := disktest.New("/data")
			n := newNode(t, fsys)
			must(t, n.a.Rewrite(context.Background(), true))
			n.put("0/a=1")
			fsys.Add(rule)
			if n.a.Rewrite(context.Background(), true) == nil {
				t.Fatal("no error")
			}
			if n.a.State() != On || !n.put("0/b=1") {
				t.Fatal("the file is not written on")
			}
			must(t, n.a.Rewrite(context.Background(), true))
			n.put("0/c=1")
			found, err := load(t, fsys.Crash(3), false)
			must(t, err)
			if !maps.Equal(found.s.data, n.s.data) {
				t.Errorf("found %v, wanted %v", found.s.data, n.s.data)
			}
			must(t, n.a.Close())
			for _, name := range fsys.Names("/data/appendonlydir") {
				if strings.HasPrefix(name, "temp-") {
					t.Errorf("%s is left", name)
				}
			}
		})
	}
}

// TestReplaced begins anew where the log does: the data are those of another node.
func TestReplaced(t *testing.T) {
	fsys := disktest.New("/data")
	n := newNode(t, fsys)
	must(t, n.a.Rewrite(context.Background(), true))
	n.put("0/old=1")
	n.s.mu.Lock()
	n.s.data = map[string]string{"0/new": "1"}
	n.s.log.Reset(7)
	n.stream = Stream{DB: 3, Mark: "rw1:c:s:4:r"}
	n.s.mu.Unlock()
	n.awaitState(Broken)
	if err := n.a.Failure(); err != nil {
		t.Errorf("a failure: %v", err)
	}
	found, err := load(t, fsys.Crash(0), false)
	must(t, err)
	if found.s.data["0/old"] != "1" {
		t.Errorf("the old data are gone before the new ones are there: %v", found.s.data)
	}
	fsys = disktest.New("/data")
	n.a.o.FS = fsys
	must(t, n.a.Rewrite(context.Background(), true))
	// The stream goes on in the database that it had selected.
	raw := []byte("*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1\r\n1\r\n*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nPING\r\n$11\r\nrw1:c:s:5:r\r\n")
	end := n.s.log.AppendRaw(&effects.Block{Buf: raw})
	if !n.await(end) {
		t.Fatal("not acknowledged")
	}
	found, err = load(t, fsys.Crash(0), false)
	must(t, err)
	if want := map[string]string{"0/new": "1", "3/x": "1"}; !maps.Equal(found.s.data, want) {
		t.Errorf("found %v", found.s.data)
	}
	if l := found.loadedAt; l.Offset != end || !l.Exact || l.Mark != "rw1:c:s:5:r" || l.DB != 3 {
		t.Errorf("found at %+v, the log at %d", l, end)
	}
}

// TestOff: a base without increments can be written while nothing is logged, and a log
// can be begun and ended at run time.
func TestOff(t *testing.T) {
	fsys := disktest.New("/data")
	n := newNode(t, fsys)
	n.s.set("0/a=1")
	must(t, n.a.Rewrite(context.Background(), false))
	if n.a.State() != Off || n.s.log.Active() {
		t.Fatal("it is on")
	}
	found, err := load(t, fsys.Crash(0), true)
	must(t, err)
	if found.s.data["0/a"] != "1" || !found.put("0/b=1") {
		t.Fatalf("%v", found.s.data)
	}
	must(t, found.a.Close())
	if found.a.State() != Off || found.s.log.Active() {
		t.Error("it is on")
	}
	must(t, found.a.Rewrite(context.Background(), true))
	found.put("0/c=1")
	again, err := load(t, found.fs.(*disktest.FS).Crash(0), false)
	must(t, err)
	if want := map[string]string{"0/a": "1", "0/b": "1", "0/c": "1"}; !maps.Equal(again.s.data, want) {
		t.Errorf("%v", again.s.data)
	}
}

// TestOldFile moves the single file of earlier Redis into the folder, wherever a crash
// comes, and loads it; it may begin with an RDB.
func TestOldFile(t *testing.T) {
	const old = "/data/appendonly.aof"
	const text = "REDIS\n{\"0/a\":\"1\"}\n*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n"
	want := map[string]string{"0/a": "1", "1/b": "2"}
	for at := 0; ; at++ {
		fsys := disktest.New("/data")
		fsys.WriteFile(old, []byte(text))
		fsys.Add(disktest.Rule{Ops: disktest.Changes, After: at, Crash: true})
		n, err := load(t, fsys, true)
		whole := err == nil && n.put("0/c=3")
		if whole {
			if !maps.Equal(n.s.data, map[string]string{"0/a": "1", "1/b": "2", "0/c": "3"}) {
				t.Fatalf("%v", n.s.data)
			}
			break
		}
		for seed := range uint64(20) {
			found, err := load(t, fsys.Crash(seed), false)
			if err != nil {
				t.Fatalf("crash at %d, seed %d: %v", at, seed, err)
			}
			if c := maps.Clone(found.s.data); !maps.Equal(c, want) {
				delete(c, "0/c")
				if !maps.Equal(c, want) {
					t.Fatalf("crash at %d, seed %d: found %v", at, seed, found.s.data)
				}
			}
		}
	}
}

// TestBehind holds writers back where the file is far behind, and lets them go.
func TestBehind(t *testing.T) {
	fsys := disktest.New("/data")
	n := newNode(t, fsys)
	n.a.o.LagBytes = 1 << 10
	must(t, n.a.Rewrite(context.Background(), true))
	stuck := make(chan struct{})
	fsys.Add(disktest.Rule{Ops: disktest.Write, Wait: stuck, Times: 1})
	var end int64
	for !n.a.Behind() {
		end = n.s.set("0/a=" + strings.Repeat("x", 500))
	}
	var woken atomic.Int32
	for range 3 {
		if !n.a.AwaitRoom(func() { woken.Add(1) }) {
			t.Fatal("there is room")
		}
	}
	close(stuck)
	if !n.await(end) {
		t.Fatal("not written")
	}
	if woken.Load() != 3 || n.a.Behind() || n.a.AwaitRoom(func() {}) {
		t.Errorf("%d were woken", woken.Load())
	}
	// The log gives up a file that does not come back; a rewrite does.
	stuck = make(chan struct{})
	fsys.Add(disktest.Rule{Ops: disktest.Write, Wait: stuck, Times: 1})
	for range 5 {
		end = n.s.set("0/a=" + strings.Repeat("x", 1<<20))
	}
	close(stuck)
	n.awaitState(Broken)
	must(t, n.a.Rewrite(context.Background(), true))
	if !n.await(end) {
		t.Error("not acknowledged")
	}
}

// TestNoSyncOnRewrite acknowledges without the disk while a base is written.
func TestNoSyncOnRewrite(t *testing.T) {
	fsys := disktest.New("/data")
	n := newNode(t, fsys)
	must(t, n.a.Rewrite(context.Background(), true))
	n.noSync.Store(true)
	n.during = func() {
		synced, _ := n.a.Synced()
		fsys.Add(disktest.Rule{Ops: disktest.Sync, Name: "*.incr.aof", Err: syscall.EIO})
		if !n.put("0/a=1") {
			t.Error("not acknowledged")
		}
		if now, _ := n.a.Synced(); now != synced {
			t.Errorf("on disk up to %d, though nothing was synced since %d", now, synced)
		}
		fsys.Heal()
	}
	must(t, n.a.Rewrite(context.Background(), true))
	n.during = nil
	must(t, n.a.Close())
}
