package disktest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/redwingdb/redwing/internal/disk"
	"github.com/redwingdb/redwing/internal/disk/disktest"
)

// seeds is how many crashes a test of what may survive looks at. All outcomes are met by
// fewer; that they are is tested too.
const seeds = 200

func open(t *testing.T, fsys disk.FS, name string, flag int) disk.File {
	t.Helper()
	f, err := fsys.OpenFile(name, flag, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, f disk.File, text string) {
	t.Helper()
	if n, err := io.WriteString(f, text); err != nil || n != len(text) {
		t.Fatalf("%d of %d bytes written: %v", n, len(text), err)
	}
}

// text is what a file holds, "none" where there is none.
func text(t *testing.T, fsys *disktest.FS, name string) string {
	t.Helper()
	b, err := fsys.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	must(t, err)
	return string(b)
}

// outcomes crashes what build makes with many seeds, and counts what is then found.
func outcomes(t *testing.T, build func(fsys *disktest.FS), found func(fsys *disktest.FS) string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for seed := range uint64(seeds) {
		fsys := disktest.New("/d")
		build(fsys)
		counts[found(fsys.Crash(seed))]++
	}
	return counts
}

// expect wants exactly these outcomes, each met at least once.
func expect(t *testing.T, got map[string]int, want ...string) {
	t.Helper()
	keys := make([]string, 0, len(got))
	for k := range got {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	slices.Sort(want)
	if !slices.Equal(keys, want) {
		t.Fatalf("a crash leaves %v, want each of %q", got, want)
	}
}

func TestSameAsTheSystem(t *testing.T) {
	script := func(fsys disk.FS, dir string) string {
		var log strings.Builder
		say := func(what string, v any, err error) {
			kind := "ok"
			for _, k := range []error{syscall.ENOENT, syscall.EEXIST, syscall.ENOTEMPTY, syscall.ENOTDIR, syscall.EISDIR, syscall.EBADF, io.EOF, os.ErrClosed} {
				if errors.Is(err, k) {
					kind = k.Error()
				}
			}
			if err != nil && kind == "ok" {
				kind = "unexpected " + err.Error()
			}
			fmt.Fprintf(&log, "%s %v %s\n", what, v, kind)
		}
		list := func() {
			entries, err := fsys.ReadDir(dir)
			for _, e := range entries {
				info, _ := e.Info()
				size := info.Size()
				if e.IsDir() {
					size = 0
				}
				say("entry", fmt.Sprint(e.Name(), " ", e.IsDir(), " ", size, " ", info.Mode()), nil)
			}
			say("list", len(entries), err)
		}
		at := func(name string) string { return dir + "/" + name }
		do := func(name string, flag int, then func(f disk.File)) {
			f, err := fsys.OpenFile(at(name), flag, 0o600)
			say("open "+name, flag, err)
			if err != nil {
				return
			}
			then(f)
			say("close", "", f.Close())
			_, err = f.Write([]byte("x"))
			say("write closed", "", err)
		}
		read := func(f disk.File) {
			b, err := io.ReadAll(f)
			say("read", string(b), err)
		}
		do("none", os.O_RDONLY, read)
		do("a", os.O_CREATE|os.O_WRONLY, func(f disk.File) {
			n, err := io.WriteString(f, "hello world")
			say("write", n, err)
			p, err := f.Seek(2, io.SeekStart)
			say("seek", p, err)
			n, err = io.WriteString(f, "LL")
			say("write", n, err)
			p, err = f.Seek(3, io.SeekEnd)
			say("seek", p, err)
			n, err = io.WriteString(f, "!")
			say("write", n, err)
			_, err = f.Read(make([]byte, 1))
			say("read", "", err)
			say("sync", "", f.Sync())
		})
		do("a", os.O_RDONLY, read)
		do("a", os.O_RDONLY, func(f disk.File) {
			_, err := f.Write([]byte("x"))
			say("write", "", err)
			_, err = io.ReadFull(f, make([]byte, 4))
			say("read", "", err)
			p, err := f.Seek(-2, io.SeekCurrent)
			say("seek", p, err)
			read(f)
		})
		do("a", os.O_CREATE|os.O_EXCL|os.O_WRONLY, read)
		do("a", os.O_APPEND|os.O_WRONLY, func(f disk.File) {
			n, err := io.WriteString(f, "app")
			say("append", n, err)
			say("truncate", "", f.Truncate(20))
			say("truncate", "", f.Truncate(16))
			n, err = io.WriteString(f, "END")
			say("append", n, err)
			info, err := f.Stat()
			say("stat", info.Size(), err)
		})
		do("a", os.O_RDWR, read)
		do("b", os.O_CREATE|os.O_RDWR, read)
		say("mkdir", "", fsys.Mkdir(at("sub"), 0o700))
		say("mkdir", "", fsys.Mkdir(at("sub"), 0o700))
		say("mkdir", "", fsys.Mkdir(at("no/sub"), 0o700))
		do("sub", os.O_WRONLY, read)
		do("a/x", os.O_RDONLY, read)
		list()
		say("rename", "", fsys.Rename(at("a"), at("b")))
		say("rename", "", fsys.Rename(at("a"), at("b")))
		say("rename", "", fsys.Rename(at("b"), at("sub/c")))
		say("rename", "", fsys.Rename(at("sub/c"), at("no/c")))
		say("remove", "", fsys.Remove(at("sub")))
		say("remove", "", fsys.Remove(at("b")))
		say("syncdir", "", fsys.SyncDir(dir))
		say("syncdir", "", fsys.SyncDir(at("no")))
		_, err := fsys.Stat(at("b"))
		say("stat", "", err)
		info, err := fsys.Stat(at("sub/c"))
		say("stat", fmt.Sprint(info.Name(), info.Size(), info.IsDir()), err)
		do("sub/c", os.O_TRUNC|os.O_RDWR, read)
		say("remove", "", fsys.Remove(at("sub/c")))
		say("remove", "", fsys.Remove(at("sub")))
		list()
		return log.String()
	}
	want := script(disk.OS{}, t.TempDir())
	if got := script(disktest.New("/d"), "/d"); got != want || strings.Contains(got, "unexpected") {
		t.Fatalf("in memory:\n%s\non disk:\n%s", got, want)
	}
}

func TestBytesSurviveBySync(t *testing.T) {
	old, changed := strings.Repeat("o", 600), strings.Repeat("n", 600)
	build := func(synced bool) func(fsys *disktest.FS) {
		return func(fsys *disktest.FS) {
			fsys.WriteFile("/d/f", []byte(old))
			f := open(t, fsys, "/d/f", os.O_WRONLY)
			write(t, f, changed)
			if synced {
				must(t, f.Sync())
			}
		}
	}
	found := func(fsys *disktest.FS) string { return text(t, fsys, "/d/f") }
	expect(t, outcomes(t, build(true), found), changed)
	// Two sectors, each of its own.
	expect(t, outcomes(t, build(false), found), old, changed,
		changed[:512]+old[512:], old[:512]+changed[512:])
}

func TestLengthSurvivesApartFromTheBytes(t *testing.T) {
	build := func(fsys *disktest.FS) {
		fsys.WriteFile("/d/f", []byte("ab"))
		f := open(t, fsys, "/d/f", os.O_WRONLY|os.O_APPEND)
		write(t, f, "cd")
	}
	got := outcomes(t, build, func(fsys *disktest.FS) string { return text(t, fsys, "/d/f") })
	expect(t, got, "ab", "abc", "ab\x00", "abcd", "ab\x00\x00")

	cut := func(fsys *disktest.FS) {
		fsys.WriteFile("/d/f", []byte("abc"))
		must(t, open(t, fsys, "/d/f", os.O_WRONLY).Truncate(1))
	}
	got = outcomes(t, cut, func(fsys *disktest.FS) string { return text(t, fsys, "/d/f") })
	expect(t, got, "a", "ab", "abc")
}

func TestNamesSurviveBySyncDir(t *testing.T) {
	found := func(fsys *disktest.FS) string { return strings.Join(fsys.Names("/d"), " ") }
	build := func(synced bool) func(fsys *disktest.FS) {
		return func(fsys *disktest.FS) {
			fsys.WriteFile("/d/gone", nil)
			must(t, open(t, fsys, "/d/new", os.O_CREATE|os.O_WRONLY).Sync())
			must(t, fsys.Remove("/d/gone"))
			if synced {
				must(t, fsys.SyncDir("/d"))
			}
		}
	}
	expect(t, outcomes(t, build(true), found), "new")
	expect(t, outcomes(t, build(false), found), "gone", "gone new", "", "new")
}

func TestRenameSurvivesWhole(t *testing.T) {
	build := func(fsys *disktest.FS) {
		fsys.WriteFile("/d/f", []byte("old"))
		fsys.WriteFile("/d/tmp", []byte("new"))
		must(t, fsys.Rename("/d/tmp", "/d/f"))
	}
	got := outcomes(t, build, func(fsys *disktest.FS) string {
		return text(t, fsys, "/d/f") + " " + text(t, fsys, "/d/tmp")
	})
	expect(t, got, "old new", "new none")
}

func TestRenameFromFolderToFolder(t *testing.T) {
	build := func(sync string) func(fsys *disktest.FS) {
		return func(fsys *disktest.FS) {
			fsys.WriteFile("/d/a/f", []byte("x"))
			fsys.WriteFile("/d/b/g", nil)
			must(t, fsys.Rename("/d/a/f", "/d/b/f"))
			must(t, fsys.SyncDir(sync))
		}
	}
	found := func(fsys *disktest.FS) string { return text(t, fsys, "/d/a/f") + " " + text(t, fsys, "/d/b/f") }
	expect(t, outcomes(t, build("/d/b"), found), "x x", "none x")
	expect(t, outcomes(t, build("/d/a"), found), "none none", "none x")
}

func TestReplaceIsOldOrNew(t *testing.T) {
	replace := func(fsys *disktest.FS) error {
		return disk.Replace(fsys, "/d/f", "f.tmp", 0o600, func(f disk.File) error {
			for range 3 {
				if _, err := f.Write(bytes.Repeat([]byte("n"), 700)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	dry := disktest.New("/d")
	must(t, replace(dry))
	steps := len(dry.Trace())
	for after := range steps + 1 {
		for seed := range uint64(40) {
			fsys := disktest.New("/d")
			fsys.WriteFile("/d/f", []byte("old"))
			fsys.Add(disktest.Rule{Ops: disktest.Changes, After: after, Crash: true})
			err := replace(fsys)
			got := text(t, fsys.Crash(seed), "/d/f")
			whole := strings.Repeat("n", 2100)
			if got != "old" && got != whole || err == nil && got != whole {
				t.Fatalf("crash before operation %d (%v), seed %d: %q", after, dry.Trace(), seed, got)
			}
			if (after < steps) != errors.Is(err, disktest.ErrCrashed) {
				t.Fatalf("operation %d: %v", after, err)
			}
		}
	}
}

// TestReplaceWithoutSyncIsFound: what Replace does is needed, and its lack is seen.
func TestReplaceWithoutSyncIsFound(t *testing.T) {
	for _, lacks := range []disktest.Op{disktest.Sync, disktest.SyncDir} {
		build := func(fsys *disktest.FS) {
			fsys.WriteFile("/d/f", []byte("old"))
			f := open(t, fsys, "/d/f.tmp", os.O_CREATE|os.O_WRONLY)
			write(t, f, "new")
			if lacks != disktest.Sync {
				must(t, f.Sync())
			}
			must(t, fsys.Rename("/d/f.tmp", "/d/f"))
			if lacks != disktest.SyncDir {
				must(t, fsys.SyncDir("/d"))
			}
		}
		got := outcomes(t, build, func(fsys *disktest.FS) string { return text(t, fsys, "/d/f") })
		if got["new"] == 0 || got["new"] == seeds {
			t.Errorf("without %v a crash leaves %v", lacks, got)
		}
	}
}

func TestFailedSyncLosesWhatItWasToSync(t *testing.T) {
	fsys := disktest.New("/d")
	fsys.WriteFile("/d/f", []byte("aaaa"))
	fsys.Add(disktest.Rule{Ops: disktest.Sync, Err: syscall.EIO, Times: 1})
	f := open(t, fsys, "/d/f", os.O_WRONLY)
	write(t, f, "bb")
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("got %v", err)
	}
	write(t, f, "c")
	must(t, f.Sync())
	if got := text(t, fsys, "/d/f"); got != "bbca" {
		t.Fatalf("reads give %q", got)
	}
	for seed := range uint64(10) {
		if got := text(t, fsys.Crash(seed), "/d/f"); got != "aaca" {
			t.Fatalf("a crash leaves %q", got)
		}
	}
}

func TestRules(t *testing.T) {
	fsys := disktest.New("/d")
	fsys.Add(disktest.Rule{Ops: disktest.Write, Name: "*.rdb", After: 1, Times: 1, Err: syscall.ENOSPC, Short: 2})
	f := open(t, fsys, "/d/f.rdb", os.O_CREATE|os.O_WRONLY)
	write(t, f, "ab")
	if n, err := f.Write([]byte("cdef")); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%d, %v", n, err)
	}
	write(t, f, "g")
	if got := text(t, fsys, "/d/f.rdb"); got != "abcdg" {
		t.Fatalf("got %q", got)
	}
	want := []string{"open /d/f.rdb", "write /d/f.rdb", "write /d/f.rdb", "write /d/f.rdb"}
	if got := fsys.Trace(); !slices.Equal(got, want) {
		t.Fatalf("trace %q", got)
	}
	for op, call := range map[disktest.Op]func() error{
		disktest.Open:    func() error { _, err := fsys.OpenFile("/d/x", os.O_CREATE, 0o600); return err },
		disktest.Rename:  func() error { return fsys.Rename("/d/f.rdb", "/d/x") },
		disktest.SyncDir: func() error { return fsys.SyncDir("/d") },
		disktest.Remove:  func() error { return fsys.Remove("/d/f.rdb") },
		disktest.Sync:    f.Sync,
		disktest.Close:   f.Close,
	} {
		fsys.Add(disktest.Rule{Ops: op, Err: syscall.EIO})
		if err := call(); !errors.Is(err, syscall.EIO) {
			t.Errorf("%v: %v", op, err)
		}
	}
	if got := strings.Join(fsys.Names("/d"), " "); got != "f.rdb" {
		t.Errorf("failed operations have left %q", got)
	}
	fsys.Heal()
	must(t, fsys.Rename("/d/f.rdb", "/d/x"))
}

func TestWaitHoldsAnOperationOnly(t *testing.T) {
	fsys := disktest.New("/d")
	gate := make(chan struct{})
	fsys.Add(disktest.Rule{Ops: disktest.Mkdir, Wait: gate})
	done := make(chan error)
	go func() { done <- fsys.Mkdir("/d/sub", 0o700) }()
	must(t, fsys.SyncDir("/d"))
	close(gate)
	must(t, <-done)
}

func TestReadOnlyAndFull(t *testing.T) {
	fsys := disktest.New("/d")
	f := open(t, fsys, "/d/f", os.O_CREATE|os.O_RDWR)
	fsys.SetReadOnly(true)
	_, err := f.Write([]byte("x"))
	_, create := fsys.OpenFile("/d/g", os.O_CREATE|os.O_WRONLY, 0o600)
	for _, err := range []error{err, create, f.Truncate(1), fsys.Rename("/d/f", "/d/g"), fsys.Remove("/d/f"), fsys.Mkdir("/d/s", 0o700)} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("read-only: %v", err)
		}
	}
	fsys.SetReadOnly(false)
	fsys.SetCapacity(4)
	write(t, f, "abc")
	if n, err := f.Write([]byte("de")); n != 1 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	write(t, f, "ABCD")
	must(t, f.Truncate(1))
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	write(t, f, "xyz")
	if got := text(t, fsys, "/d/f"); got != "Axyz" {
		t.Errorf("got %q", got)
	}
}

func TestTheDeadChangeNothing(t *testing.T) {
	fsys := disktest.New("/d")
	f := open(t, fsys, "/d/f", os.O_CREATE|os.O_WRONLY)
	must(t, fsys.SyncDir("/d"))
	next := fsys.Crash(1)
	_, write := f.Write([]byte("x"))
	for _, err := range []error{write, f.Sync(), f.Close(), fsys.Remove("/d/f"), fsys.Rename("/d/f", "/d/g")} {
		if !errors.Is(err, disktest.ErrCrashed) {
			t.Errorf("got %v", err)
		}
	}
	if got := text(t, next, "/d/f"); got != "" {
		t.Errorf("got %q", got)
	}
}
