package aof

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/disk/disktest"
)

const (
	incr1    = "/data/appendonlydir/appendonly.aof.1.incr.aof"
	base1    = "/data/appendonlydir/appendonly.aof.1.base.rdb"
	manifest = "/data/appendonlydir/appendonly.aof.manifest"
)

// written is the files of a node that has written blocks and ended, with what it had
// behind each.
func written(t *testing.T, policy Policy, blocks int) (*disktest.FS, []map[string]string) {
	t.Helper()
	fsys := disktest.New("/data")
	n := newNode(t, fsys)
	must(t, n.a.Rewrite(context.Background(), true))
	n.policy.Store(int32(policy))
	n.stamps.Store(true)
	for i := range blocks {
		changes := []string{fmt.Sprintf("%d/k%d=%d.%s", i%3, i, i, strings.Repeat("v", i%50))}
		for j := range i % 4 {
			changes = append(changes, fmt.Sprintf("%d/m%d=%d", j%2, j, i))
		}
		if policy == Always {
			if !n.put(changes...) {
				t.Fatal("not acknowledged")
			}
		} else {
			n.s.set(changes...)
		}
	}
	must(t, n.a.Close())
	return fsys, n.s.history
}

// with returns a copy of the files in which one is another.
func with(t *testing.T, fsys *disktest.FS, name string, data []byte) *disktest.FS {
	t.Helper()
	out := disktest.New("/data")
	for _, f := range []string{incr1, base1, manifest} {
		text, err := fsys.ReadFile(f)
		must(t, err)
		if f == name {
			text = data
		}
		out.WriteFile(f, text)
	}
	return out
}

// TestTornTail cuts the last file at every byte of its last 4 KiB: what whole blocks are
// there is found, and the file can be written to again.
func TestTornTail(t *testing.T) {
	for _, policy := range []Policy{Always, Never} {
		fsys, history := written(t, policy, 120)
		text, err := fsys.ReadFile(incr1)
		must(t, err)
		last := -1
		step := 1
		if testing.Short() {
			step = 17
		}
		for at := max(0, len(text)-4096); at <= len(text); at += step {
			torn := with(t, fsys, incr1, text[:at])
			n, err := load(t, torn, true)
			if err != nil {
				t.Fatalf("cut at %d of %d: %v", at, len(text), err)
			}
			got := prefix(history, n.s.data)
			if got < last {
				t.Fatalf("cut at %d: %d blocks, %d before", at, got, last)
			}
			last = got
			if whole := n.loadedAt.CutBytes == 0; whole != strings.HasSuffix(string(text[:at]), "\r\n") && whole {
				t.Fatalf("cut at %d: nothing was torn", at)
			}
			if !n.put("0/more=1") {
				t.Fatal("not acknowledged")
			}
			must(t, n.a.Close())
			again, err := load(t, torn, false)
			if err != nil || !maps.Equal(again.s.data, n.s.data) {
				t.Fatalf("cut at %d, written on: %v, %v", at, again.s.data, err)
			}
		}
		if step == 1 && last != len(history)-1 {
			t.Errorf("the whole file has %d of %d blocks", last, len(history)-1)
		}
		// Each block is found as soon as it is whole.
		n, err := load(t, with(t, fsys, incr1, text[:strings.LastIndex(string(text), sumPrefix)]), false)
		if err != nil || prefix(history, n.s.data) != len(history)-1 {
			t.Errorf("without the last check: %v", err)
		}
	}
}

// TestFlippedBits flips every bit of a file, one at a time: the data are a beginning of
// what was written, or the load is refused and says where.
func TestFlippedBits(t *testing.T) {
	blocks, step := 40, 1
	if testing.Short() {
		blocks, step = 12, 3
	}
	for _, policy := range []Policy{Always, Never} {
		fsys, history := written(t, policy, blocks)
		text, err := fsys.ReadFile(incr1)
		must(t, err)
		refused, cut := 0, 0
		for bit := 0; bit < 8*len(text); bit += step {
			flipped := append([]byte(nil), text...)
			flipped[bit/8] ^= 1 << (bit % 8)
			n, err := load(t, with(t, fsys, incr1, flipped), false)
			if err != nil {
				if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "appendonly.aof.1.incr.aof at offset ") {
					t.Fatalf("bit %d: %v", bit, err)
				}
				refused++
				continue
			}
			if prefix(history, n.s.data) < 0 {
				t.Fatalf("bit %d of byte %d (%q -> %q) gives what never was: %v", bit%8, bit/8, text[bit/8], flipped[bit/8], n.s.data)
			}
			if n.loadedAt.CutBytes > 0 {
				cut++
			}
		}
		if policy == Always && refused < cut {
			t.Errorf("%d loads refused, %d files cut: what was on disk is not thrown away", refused, cut)
		}
	}
	fsys, history := written(t, Always, 3)
	text, err := fsys.ReadFile(manifest)
	must(t, err)
	for bit := range 8 * len(text) {
		flipped := append([]byte(nil), text...)
		flipped[bit/8] ^= 1 << (bit % 8)
		// What is loaded is all of it: the bit was that of the checksum's comment.
		if n, err := load(t, with(t, fsys, manifest, flipped), false); err == nil && prefix(history, n.s.data) != len(history)-1 {
			t.Fatalf("bit %d of the manifest: loaded\n%s", bit, flipped)
		}
	}
}

// TestDamageRefused holds what is refused, and what it says.
func TestDamageRefused(t *testing.T) {
	const request = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
	const multi, exec = "*1\r\n$5\r\nMULTI\r\n", "*1\r\n$4\r\nEXEC\r\n"
	const sel = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
	for _, c := range []struct {
		name, text string
		want       string // part of the error, "": none
		keys       int
		options    LoadOptions
	}{
		{"empty", "", "", 0, loadAll},
		{"one", sel + request, "", 1, loadAll},
		{"no select", request, "", 1, loadAll},
		{"annotations", "#TS:1\r\n" + sel + multi + "#TS:2\r\n" + request + exec + "#unknown\r\n", "", 1, loadAll},
		{"torn", sel + request + request[:10], "", 1, loadAll},
		{"torn annotation", sel + request + "#TS:1", "", 1, loadAll},
		{"torn block", sel + multi + request, "", 0, loadAll},
		{"zeros", sel + request + strings.Repeat("\x00", 700), "", 1, loadAll},
		{"request of zeros", sel + request + request[:18] + strings.Repeat("\x00", 700), "", 1, loadAll},
		{"torn, not allowed", sel + request + request[:10], "at offset 50: unexpected end of file: make a backup", 0, LoadOptions{Databases: 16}},
		{"nested", sel + multi + multi, "at offset 38: bad file format", 0, loadAll},
		{"exec alone", sel + exec, "at offset 23: bad file format", 0, loadAll},
		{"no request", sel + "SET a 1\r\n", "at offset 23: bad file format", 0, loadAll},
		{"no words", sel + "*0\r\n", "at offset 23: bad file format", 0, loadAll},
		{"unknown", sel + "*1\r\n$3\r\nFOO\r\n", `unknown command "FOO"`, 0, loadAll},
		{"no such database", "*2\r\n$6\r\nSELECT\r\n$2\r\n16\r\n" + request, "SELECT of database \"16\", there are 16", 0, loadAll},
		{"long annotation", sel + "#" + strings.Repeat("x", 2000) + "\r\n", "at offset 23: bad file format", 0, loadAll},
		{"wrong check", sel + "#RW:crc 23 0 5 0123456789abcdef\r\n" + request, "", 0, loadAll},
		{"wrong check on disk", sel + "#RW:crc 23 0 5 0123456789abcdef\r\n#RW:crc 56 40 5 0123456789abcdef\r\n", "at offset 23: a check does not hold", 0, loadAll},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys := disktest.New("/data")
			fsys.WriteFile(manifest, []byte("file appendonly.aof.1.incr.aof seq 1 type i\n"))
			head := ""
			if strings.HasPrefix(c.name, "wrong check") {
				head = headLine
				c.text = strings.ReplaceAll(strings.ReplaceAll(c.text, " 23 ", " 34 "), " 56 ", " 67 ")
				c.want = strings.ReplaceAll(c.want, "23", "34")
			}
			fsys.WriteFile(incr1, []byte(head+c.text))
			n := newNode(t, fsys)
			_, err := n.a.Load(n.s, c.options)
			switch {
			case c.want == "" && err != nil, c.want != "" && err == nil:
				t.Fatal(err)
			case err != nil && !strings.Contains(err.Error(), c.want):
				t.Errorf("got %v", err)
			}
			if err == nil && len(n.s.data) != c.keys {
				t.Errorf("%v", n.s.data)
			}
		})
	}
	t.Run("not the last file", func(t *testing.T) {
		fsys := disktest.New("/data")
		fsys.WriteFile(manifest, []byte("file appendonly.aof.1.incr.aof seq 1 type i\nfile b seq 2 type i\n"))
		fsys.WriteFile(incr1, []byte(sel+request[:5]))
		fsys.WriteFile("/data/appendonlydir/b", []byte(sel))
		n := newNode(t, fsys)
		if _, err := n.a.Load(n.s, loadAll); err == nil || !strings.Contains(err.Error(), "other files follow it") {
			t.Errorf("got %v", err)
		}
		fsys.WriteFile(manifest, []byte("file nosuch seq 1 type i\nfile b seq 2 type i\n"))
		if _, err := n.a.Load(n.s, loadAll); err == nil || !strings.Contains(err.Error(), "nosuch") {
			t.Errorf("got %v", err)
		}
	})
}
