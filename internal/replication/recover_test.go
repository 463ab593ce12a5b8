package replication

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/slots"
)

// newOffline is a node that nobody talks to.
func newOffline(t *testing.T, cluster bool) *Replication {
	t.Helper()
	ks, err := engine.New(engine.Options{Shards: 2, Databases: 2})
	if err != nil {
		t.Fatal(err)
	}
	log := effects.NewLog(effects.Options{})
	r := New(Options{Keyspace: ks, Log: log, Cluster: cluster})
	t.Cleanup(func() {
		r.Close()
		log.Close()
		ks.Close()
	})
	return r
}

func position(t *testing.T, r *Replication) persist.Position {
	t.Helper()
	all := r.o.Keyspace.AllShards()
	r.o.Keyspace.Lock(all)
	defer r.o.Keyspace.Unlock(all)
	p, err := r.Position()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	fileID   = strings.Repeat("c", 40)
	fileMark = Mark{Cluster: "c", Shard: "s", Term: 7, Run: "run"}
	inFile   = persist.Position{ReplID: fileID, Offset: 500, StreamDB: 1, Mark: fileMark.String()}
)

// TestPrimaryFromFile begins a history of its own, which shares the file's up to its end.
func TestPrimaryFromFile(t *testing.T) {
	r := newOffline(t, true)
	r.Recover(inFile)
	if p := r.Progress(); p != (Progress{Term: 7, Offset: 500}) {
		t.Errorf("progress %+v", p)
	}
	if p := position(t, r); p.ReplID != fileID || p.Offset != 500 || p.Mark != fileMark.String() {
		t.Errorf("position %+v", p)
	}
	if err := r.mayServeLocked(want{id: ID(fileID), next: 501}); err == nil || !strings.Contains(err.Error(), "NOMASTERLINK") {
		t.Errorf("served before it has a role: %v", err)
	}
	next := fileMark
	next.Term, next.Run = 8, "another"
	if err := r.Promote(context.Background(), next); err != nil {
		t.Fatal(err)
	}
	h := r.mu.history
	if string(h.id) == fileID || string(h.id2) != fileID || h.second != 501 {
		t.Errorf("history %+v", h)
	}
	if !h.holds(ID(fileID), 501) || h.holds(ID(fileID), 502) {
		t.Error("who has more than the file may go on, or who has as much may not")
	}
	if err := r.mayServeLocked(want{id: ID(fileID), next: 501}); err != nil {
		t.Error(err)
	}
	if p := r.Progress(); p.Term != 8 || p.Linked != 8 || p.Offset <= 500 { // the mark has gone into the stream
		t.Errorf("progress %+v", p)
	}
}

// TestReplicaFromFile offers what it has to the primary.
func TestReplicaFromFile(t *testing.T) {
	r := newOffline(t, false)
	r.Recover(inFile)
	r.Follow(Target{Host: "127.0.0.1", Port: 1})
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mu.resume || string(r.mu.history.id) != fileID || r.mu.streamDB != 1 || r.mu.linked != 0 || r.mu.recovered {
		t.Errorf("resume %v, history %+v, database %d, linked %d", r.mu.resume, r.mu.history, r.mu.streamDB, r.mu.linked)
	}
}

// TestFileWithoutPosition gives nothing to go on from.
func TestFileWithoutPosition(t *testing.T) {
	r := newOffline(t, false)
	id := r.mu.history.id
	r.Recover(persist.NoPosition)
	if err := r.Promote(context.Background(), Mark{}); err != nil {
		t.Fatal(err)
	}
	if r.mu.history.id != id || r.mu.history.id2 != noID || r.o.Log.Backlog().On {
		t.Errorf("history %+v", r.mu.history)
	}
	if p := position(t, r); p != persist.NoPosition {
		t.Errorf("position %+v", p)
	}
	r = newOffline(t, false)
	r.Recover(persist.NoPosition)
	r.Follow(Target{Host: "127.0.0.1", Port: 1})
	if r.mu.resume {
		t.Error("offers what is none's")
	}
}

// TestNoPositionOfHalfADataSet: while data are replaced there is nothing to save.
func TestNoPositionOfHalfADataSet(t *testing.T) {
	r := newOffline(t, false)
	r.mu.dirty = true
	if _, err := r.Position(); !errors.Is(err, persist.ErrNoData) {
		t.Errorf("%v", err)
	}
}

// TestFileOfAnotherShard: a primary serves nothing that its file has of another shard.
func TestFileOfAnotherShard(t *testing.T) {
	for name, c := range map[string]struct {
		file Mark
		as   Mark
		kept int64
	}{
		"its own":          {fileMark, Mark{Cluster: "c", Shard: "s", Term: 8, Run: "x"}, 1},
		"another shard":    {fileMark, Mark{Cluster: "c", Shard: "other", Term: 8, Run: "x"}, 0},
		"another cluster":  {fileMark, Mark{Cluster: "other", Shard: "s", Term: 8, Run: "x"}, 0},
		"of no cluster":    {Mark{}, Mark{Cluster: "c", Shard: "s", Term: 8, Run: "x"}, 1},
		"for a new member": {fileMark, Mark{}, 1},
	} {
		r := newOffline(t, true)
		a := r.o.Keyspace.Access(0, 0, engine.ModePrimary)
		if err := a.SetString(slots.Of([]byte("k")), []byte("k"), []byte("v"), 0); err != nil {
			t.Fatal(err)
		}
		p := inFile
		p.Mark = c.file.String()
		r.Recover(p)
		if err := r.Promote(context.Background(), c.as); err != nil {
			t.Fatal(err)
		}
		if got := r.o.Keyspace.Len(0); got != c.kept {
			t.Errorf("%s: %d keys, want %d", name, got, c.kept)
		}
		if shared := string(r.mu.history.id2) == fileID; shared != (c.kept == 1) {
			t.Errorf("%s: history %+v", name, r.mu.history)
		}
		if r.Mark() != c.as {
			t.Errorf("%s: mark %v", name, r.Mark())
		}
	}
}
