package persist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/disk/disktest"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist/rdb"
	"github.com/redwingdb/redwing/internal/slots"
)

const dumpPath = "/d/dump.rdb"

// set makes a string in database 0.
func set(t testing.TB, k *engine.Keyspace, key, value string, expireAt int64) {
	t.Helper()
	slot := slots.Of([]byte(key))
	k.Lock(k.Mask(slot))
	defer k.Unlock(k.Mask(slot))
	a := k.Access(0, testNow, engine.ModePrimary)
	if err := a.SetString(slot, []byte(key), []byte(value), expireAt); err != nil {
		t.Fatal(err)
	}
}

func snapshot(t testing.TB, k *engine.Keyspace) *engine.Snapshot {
	t.Helper()
	snap, err := k.Snapshot(engine.SnapshotOptions{DB: -1})
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// save writes k into the file at path.
func save(t testing.TB, fsys disk.FS, k *engine.Keyspace, o WriteOptions) (done Written, err error) {
	t.Helper()
	snap := snapshot(t, k)
	defer snap.Close()
	o.NowMillis = testNow
	err = disk.Replace(fsys, dumpPath, "temp-1.rdb", 0o644, func(f disk.File) error {
		done, err = WriteFile(context.Background(), f, k, snap, o)
		return err
	})
	return done, err
}

func load(fsys disk.FS, k *engine.Keyspace, o ReadOptions) (Loaded, error) {
	o.Keyspace = k
	return ReadFile(context.Background(), fsys, dumpPath, o)
}

// TestFileHoldsEverything writes the version that the data need, and what goes with them.
func TestFileHoldsEverything(t *testing.T) {
	seed := rand.Uint64()
	position := Position{ReplID: strings.Repeat("ab", 20), Offset: 77, StreamDB: 1, Mark: "rw1:c:s:3:r"}
	for name, c := range map[string]struct {
		fields  bool // hashes whose fields expire
		ask     int
		version int
	}{
		"lowest":                {false, 0, rdb.Version},
		"fields expire":         {true, 0, rdb.VersionLatest},
		"latest":                {false, rdb.VersionLatest, rdb.VersionLatest},
		"latest, fields expire": {true, rdb.VersionLatest, rdb.VersionLatest},
	} {
		k := newKeyspace(t)
		for _, key := range fill(t, k, rand.New(rand.NewPCG(seed, 3))) {
			if slot := slots.Of([]byte(key)); !c.fields && strings.HasPrefix(key, "expiring") {
				k.Lock(k.Mask(slot))
				a := k.Access(0, testNow, engine.ModePrimary)
				a.Delete(slot, []byte(key))
				k.Unlock(k.Mask(slot))
			}
		}
		fsys := disktest.New("/d")
		libraries := [][]byte{[]byte("#!lua name=a\n"), bytes.Repeat([]byte("code "), 100)}
		written := 0
		done, err := save(t, fsys, k, WriteOptions{
			Version: c.ask, Compress: true, Checksum: true, Position: position, Libraries: libraries, AOFBase: c.fields,
			Progress: func(n int) { written += n },
		})
		if err != nil || done.Version != c.version || done.Keys != int64(written) || done.Keys != k.Len(0) {
			t.Fatalf("%s: %+v of %d keys, %d told: %v", name, done, k.Len(0), written, err)
		}
		k2 := newKeyspace(t)
		begun := NoPosition
		got, err := load(fsys, k2, ReadOptions{Begin: func(p Position) error { begun = p; return nil }})
		if err != nil {
			t.Fatalf("%s, seed %d: %v", name, seed, err)
		}
		switch {
		case got.Position != position || begun != position:
			t.Errorf("%s: position %+v, begun at %+v", name, got.Position, begun)
		case got.Version != c.version || got.AOFBase != c.fields || got.Keys != done.Keys || got.Bytes != done.Bytes || got.Expired != 0:
			t.Errorf("%s: %+v of %+v", name, got, done)
		case len(got.Libraries) != 2 || !bytes.Equal(got.Libraries[1], libraries[1]):
			t.Errorf("%s: libraries %q", name, got.Libraries)
		}
		kinds := max(c.ask, rdb.Version) // a version that is raised on the way has the kinds of before
		compare(t, contents(t, k, 0, kinds), contents(t, k2, 0, kinds))
		if t.Failed() {
			t.Fatalf("%s, seed %d", name, seed)
		}
	}
}

func TestVersionThatIsAskedForIsNotRaised(t *testing.T) {
	k := newKeyspace(t)
	fill(t, k, rand.New(rand.NewPCG(1, 1)))
	fsys := disktest.New("/d")
	if _, err := save(t, fsys, k, WriteOptions{Version: rdb.Version}); !errors.Is(err, ErrVersion) {
		t.Fatalf("got %v", err)
	}
	if got := fsys.Names("/d"); len(got) != 0 {
		t.Fatalf("left behind: %q", got)
	}
}

func TestExpiredKeysArePassedOver(t *testing.T) {
	k := newKeyspace(t)
	set(t, k, "old", "1", testNow) // long ago
	set(t, k, "kept", "2", 0)
	fsys := disktest.New("/d")
	if _, err := save(t, fsys, k, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, drop := range []bool{true, false} {
		k2 := newKeyspace(t)
		got, err := load(fsys, k2, ReadOptions{DropExpired: drop})
		want := Loaded{Keys: 2}
		if drop {
			want = Loaded{Keys: 1, Expired: 1}
		}
		if err != nil || got.Keys != want.Keys || got.Expired != want.Expired || k2.Len(0) != want.Keys {
			t.Errorf("drop %v: %+v, %d keys (%v)", drop, got, k2.Len(0), err)
		}
	}
}

func TestMerge(t *testing.T) {
	k := newKeyspace(t)
	set(t, k, "a", "file", 0)
	set(t, k, "b", "file", 0)
	fsys := disktest.New("/d")
	if _, err := save(t, fsys, k, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	k2 := newKeyspace(t)
	set(t, k2, "a", "here", 0)
	set(t, k2, "c", "here", 0)
	if _, err := load(fsys, k2, ReadOptions{}); !errors.Is(err, ErrKeyTwice) || !strings.HasPrefix(err.Error(), dumpPath+": rdb at byte ") {
		t.Fatalf("without Merge: %v", err)
	}
	if _, err := load(fsys, k2, ReadOptions{Merge: true}); err != nil {
		t.Fatal(err)
	}
	got := contents(t, k2, 0, rdb.Version)
	for key, want := range map[string]string{"a": "file", "b": "file", "c": "here"} {
		if !strings.Contains(got[key], want) {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
}

// place is how an error names the file and the byte.
var place = regexp.MustCompile(`^/d/dump\.rdb: rdb at byte \d+: `)

// TestDamageIsFound: a file with a flipped bit or without its end is refused, and the
// error says where. With a checksum nothing of it is ever taken for whole.
func TestDamageIsFound(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 4))
	for _, version := range []int{rdb.Version, rdb.VersionLatest} {
		k := newKeyspace(t)
		for _, m := range makers {
			if version == rdb.Version && m.name == "expiring" {
				continue
			}
			for _, n := range []int{3, 150} {
				key := fmt.Append(nil, m.name, n)
				slot := slots.Of(key)
				a := k.Access(0, testNow, engine.ModePrimary)
				if err := m.make(&a, slot, key, n, rnd); err != nil {
					t.Fatal(err)
				}
			}
		}
		fsys := disktest.New("/d")
		if _, err := save(t, fsys, k, WriteOptions{Version: version, Compress: true, Checksum: true, Position: Position{Mark: "m"}}); err != nil {
			t.Fatal(err)
		}
		whole, err := fsys.ReadFile(dumpPath)
		if err != nil {
			t.Fatal(err)
		}
		// One keyspace takes the remains of all, since loading adds to it.
		k2 := newKeyspace(t)
		try := func(what string, b []byte) {
			t.Helper()
			fsys.WriteFile(dumpPath, b)
			k2.FlushAll()
			_, err := load(fsys, k2, ReadOptions{Owned: true})
			if err == nil || !place.MatchString(err.Error()) {
				t.Fatalf("seed %d, version %d, %d bytes, %s: %v", seed, version, len(whole), what, err)
			}
		}
		tries := 3000
		if testing.Short() {
			tries = 300
		}
		for i := range tries {
			at := rnd.IntN(len(whole))
			if i < 64 {
				at = i // all of the header
			}
			bit := rnd.IntN(8)
			b := bytes.Clone(whole)
			b[at] ^= 1 << bit
			try(fmt.Sprintf("bit %d of byte %d flipped", bit, at), b)
			try(fmt.Sprintf("cut at %d", at), whole[:at])
		}
		try("more behind the end", append(bytes.Clone(whole), 0))
	}
}

// TestFilesAreSyncedOnTheWay unless told otherwise.
func TestFilesAreSyncedOnTheWay(t *testing.T) {
	k := newKeyspace(t)
	for i := range 20 {
		set(t, k, fmt.Sprint("big", i), strings.Repeat("v", 1<<20), 0)
	}
	for _, noSync := range []bool{false, true} {
		fsys := disktest.New("/d")
		if _, err := save(t, fsys, k, WriteOptions{NoSync: noSync}); err != nil {
			t.Fatal(err)
		}
		syncs := strings.Count(strings.Join(fsys.Trace(), "\n")+"\n", "sync /d/temp-1.rdb\n")
		if want := map[bool]int{false: 20/4 + 1, true: 1}[noSync]; syncs != want {
			t.Errorf("NoSync %v: %d syncs of 20 MiB, want %d", noSync, syncs, want)
		}
	}
}

func TestNoFile(t *testing.T) {
	if _, err := load(disktest.New("/d"), newKeyspace(t), ReadOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

func TestForeignPositionIsRefused(t *testing.T) {
	for _, aux := range [][2]string{{"repl-id", "short"}, {"repl-offset", "x"}, {"repl-stream-db", "2"}} {
		var b bytes.Buffer
		w := rdb.NewWriter(&b, rdb.WriterOptions{})
		if err := errors.Join(w.Aux(aux[0], aux[1]), w.Close()); err != nil {
			t.Fatal(err)
		}
		fsys := disktest.New("/d")
		fsys.WriteFile(dumpPath, b.Bytes())
		if _, err := load(fsys, newKeyspace(t), ReadOptions{}); !errors.Is(err, rdb.ErrFormat) || !place.MatchString(err.Error()) {
			t.Errorf("%q: %v", aux, err)
		}
	}
}

func TestWritingEndsWithItsContext(t *testing.T) {
	k := newKeyspace(t)
	fill(t, k, rand.New(rand.NewPCG(1, 2)))
	snap := snapshot(t, k)
	defer snap.Close()
	ctx, cancel := context.WithCancel(context.Background())
	f, err := disk.OS{}.OpenFile(filepath.Join(t.TempDir(), "f"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = WriteFile(ctx, f, k, snap, WriteOptions{Progress: func(int) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}
