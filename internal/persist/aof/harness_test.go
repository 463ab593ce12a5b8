package aof

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/effects"
)

// store is a data set of strings with an effect log: the least that an AOF is for. Its
// mutex stands for all data shards. Every block that it takes has a number.
type store struct {
	mu   sync.Mutex
	log  *effects.Log
	data map[string]string
	// history[i] is the data set behind i blocks, ends[i] the log offset there.
	history []map[string]string
	ends    []int64
}

func newStore() *store {
	s := &store{log: effects.NewLog(effects.Options{}), data: map[string]string{}}
	s.note()
	return s
}

func (s *store) note() {
	s.history = append(s.history, maps.Clone(s.data))
	s.ends = append(s.ends, s.log.Offset())
}

// set makes one block of changes "db/key=value" and returns the log offset behind it.
func (s *store) set(changes ...string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b effects.Block
	for _, c := range changes {
		key, value, _ := strings.Cut(c, "=")
		db, name, _ := strings.Cut(key, "/")
		n, err := strconv.Atoi(db)
		if err != nil {
			panic(err)
		}
		s.data[key] = value
		b.Add(0, n, []byte("SET"), []byte(name), []byte(value))
	}
	s.log.Append(&b)
	s.note()
	return s.ends[len(s.ends)-1]
}

// Base implements Target. A base is REDIS, a newline, and the data as a line of JSON.
func (s *store) Base(in *bufio.Reader) error {
	head, err := in.ReadString('\n')
	if err != nil || head != "REDIS\n" {
		return fmt.Errorf("base begins with %q: %w", head, err)
	}
	text, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), &s.data)
}

// Apply implements Target.
func (s *store) Apply(block []Request) error {
	for _, r := range block {
		if len(r.Args) != 3 || !strings.EqualFold(string(r.Args[0]), "set") {
			return fmt.Errorf("unknown command %q", r.Args[0])
		}
		s.data[fmt.Sprintf("%d/%s", r.DB, r.Args[1])] = string(r.Args[2])
	}
	s.note()
	return nil
}

// copied is a snapshot of a store.
type copied struct {
	data   map[string]string
	during func() // called while it is written
}

func (c *copied) Close() {}

func (c *copied) Write(f disk.File) error {
	text, err := json.Marshal(c.data)
	if err != nil {
		return err
	}
	if _, err := f.Write([]byte("REDIS\n")); err != nil {
		return err
	}
	if c.during != nil {
		c.during()
	}
	_, err = f.Write(append(text, '\n'))
	return err
}

// node is a store with an AOF.
type node struct {
	t      testing.TB
	s      *store
	fs     disk.FS
	a      *AOF
	during func()

	puts     atomic.Int64
	policy   atomic.Int32
	stamps   atomic.Bool
	noSync   atomic.Bool
	stream   Stream
	mu       sync.Mutex
	cond     *sync.Cond
	synced   int64
	state    State
	loadedAt Loaded
}

func newNode(t testing.TB, fsys disk.FS) *node {
	n := &node{t: t, s: newStore(), fs: fsys, stream: Stream{DB: -1}}
	n.cond = sync.NewCond(&n.mu)
	n.policy.Store(int32(Always))
	n.a = New(Options{
		FS: fsys, Dir: "/data", Sub: "appendonlydir", Name: "appendonly.aof", Log: n.s.log,
		Policy:          func() Policy { return Policy(n.policy.Load()) },
		NoSyncOnRewrite: n.noSync.Load, Timestamps: n.stamps.Load,
		KeepHistory: func() bool { return false }, Saving: func() bool { return false },
		Cut: func(_ context.Context, at func(Stream) error) (Snapshot, error) {
			n.s.mu.Lock()
			defer n.s.mu.Unlock()
			c := &copied{data: maps.Clone(n.s.data), during: n.during}
			return c, at(n.at())
		},
		Changed: func(s State, synced int64) { n.tell(func() { n.state = s; n.synced = synced }) },
		Synced:  func(offset int64) { n.tell(func() { n.synced = offset }) },
	})
	return n
}

// at is where the stream stands. REQUIRES: n.s.mu held.
func (n *node) at() Stream {
	s := n.stream
	s.Offset = n.s.log.Cut()
	return s
}

func (n *node) tell(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	n.cond.Broadcast()
}

// await waits until the log is on disk up to offset; false if the AOF is not on any more.
func (n *node) await(offset int64) bool {
	timer := time.AfterFunc(time.Minute, func() { n.tell(func() { n.t.Error("nothing is synced"); n.state = Broken }) })
	defer timer.Stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.synced < offset && n.state == On {
		n.cond.Wait()
	}
	return n.synced >= offset
}

// put makes a block and waits until it is acknowledged: it asks for a sync that it does
// itself, for one that another does, or just waits.
func (n *node) put(changes ...string) bool {
	offset := n.s.set(changes...)
	if kind := n.puts.Add(1) % 3; kind > 0 {
		n.a.Commit(kind == 1)
	}
	return n.await(offset)
}

var loadAll = LoadOptions{Databases: 16, Truncated: true}

// load starts a node on what is on disk, writing again if start is set.
func load(t testing.TB, fsys disk.FS, start bool) (*node, error) {
	n := newNode(t, fsys)
	n.s.log = effects.NewLog(effects.Options{Offset: 1000})
	n.a.o.Log = n.s.log
	var err error
	if n.loadedAt, err = n.a.Load(n.s, loadAll); err != nil {
		return n, err
	}
	n.s.history, n.s.ends = nil, nil
	n.s.note()
	if !start {
		return n, nil
	}
	if n.loadedAt.Files == 0 {
		return n, n.a.Rewrite(context.Background(), true)
	}
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	return n, n.a.Start(n.loadedAt, n.at())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// prefix returns how many blocks of history make up data, -1 if no number does.
func prefix(history []map[string]string, data map[string]string) int {
	for i := len(history) - 1; i >= 0; i-- {
		if maps.Equal(history[i], data) {
			return i
		}
	}
	return -1
}
