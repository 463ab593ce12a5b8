package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/commands"
	"github.com/redwingdb/redwing/internal/commands/keys"
)

// bench runs a machine by lines of words and notes what it emits.
type bench struct {
	t   *testing.T
	m   *Machine
	out []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	table, err := command.NewTable(commands.OnKeys(keys.Deps{})...)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, m: NewMachine(100)}
	b.m.Table = table
	b.m.Emit = func(op Op) error {
		b.out = append(b.out, string(bytes.Join(op.Args, []byte(" "))))
		return nil
	}
	b.m.Keys = func(args [][]byte) ([][]byte, error) {
		if string(args[0]) == "EVAL" {
			return args[3:], nil
		}
		return nil, errors.New("unknown command")
	}
	return b
}

func (b *bench) try(line string) error {
	var args [][]byte
	for _, w := range strings.Fields(line) {
		args = append(args, []byte(w))
	}
	return b.m.Request(args, 10)
}

func (b *bench) do(lines ...string) {
	b.t.Helper()
	for _, line := range lines {
		if err := b.try(line); err != nil {
			b.t.Fatalf("%s: %v", line, err)
		}
	}
}

func (b *bench) want(ops, dirty string) {
	b.t.Helper()
	if got := strings.Join(b.out, "; "); got != ops {
		b.t.Errorf("operations %q, want %q", got, ops)
	}
	if got := strings.Join(slices.Sorted(maps.Keys(b.m.dirty)), " "); got != dirty {
		b.t.Errorf("dirty %q, want %q", got, dirty)
	}
}

// late is an expiry with the shift that keys get while a source is followed.
func late(at int64) string { return strconv.FormatInt(at+shiftMillis, 10) }

func TestTranslation(t *testing.T) {
	for _, c := range []struct{ name, stream, ops, dirty string }{
		{"one key", "SET a 1; INCR a", "SET a 1; INCR a", ""},
		{"house-keeping", "PING; REPLCONF GETACK *; PUBLISH c m; SCRIPT LOAD x; FUNCTION LOAD x", "", ""},
		{"a block", "MULTI; SET a 1; SET b 2; EXEC", "SET a 1; SET b 2", ""},
		{"other databases", "SELECT 3; SET a 1; FLUSHDB; SELECT 0; SET b 1", "SET b 1", ""},
		{"a database within a block", "MULTI; SELECT 3; SET a 1; EXEC; SET b 1", "", ""},

		{"keys of one slot", "RENAME {x}a {x}b; SUNIONSTORE {x}d {x}a {x}b", "RENAME {x}a {x}b; SUNIONSTORE {x}d {x}a {x}b", ""},
		{"each key by itself", "DEL a b; UNLINK c d; MSET a 1 b 2; MSETNX c 3 d 4",
			"DEL a; DEL b; UNLINK c; UNLINK d; SET a 1; SET b 2; SET c 3; SET d 4", ""},
		{"msetnx has set", "MSETNX {x}a 1 {x}b 2", "MSET {x}a 1 {x}b 2", ""},
		{"across slots", "RENAME a b", "", "a b"},
		{"what is only read stays clean", "SUNIONSTORE d a b; PFMERGE p q; BITOP OR x y z; COPY e f", "", "d f p x"},
		{"two that are written", "LMOVE a b LEFT RIGHT; SMOVE c d m", "", "a b c d"},
		{"sort", "SORT a STORE b", "", "b"},

		{"a dirty key is left alone", "RENAME a b; SET a 1; RPUSH b x; DEL a c", "DEL c", "a b"},
		{"it spreads to what is made of it", "RENAME {x}a y; SUNIONSTORE {x}d {x}a {x}c; GET {x}d", "", "y {x}a {x}d"},
		{"but not to what it is made of", "RENAME {x}a y; COPY {x}c {x}a", "", "y {x}a"},
		{"a script", "EVAL s 2 a b", "", "a b"},

		{"into another database", "MOVE a 3", "", "a"},
		{"from another one", "SELECT 3; MOVE a 0; COPY b c DB 0; COPY d e DB 4; MOVE f 5", "", "a c"},
		{"a copy into another one", "COPY a b DB 3", "", ""},

		{"expiries", "PEXPIREAT a 5000; EXPIREAT a 6; SET a 1 PXAT 7000; SET a 1 EXAT 8 GET; RESTORE b 9000 x ABSTTL; RESTORE b 0 x; PERSIST a",
			"PEXPIREAT a " + late(5000) + "; EXPIREAT a " + late(6000)[:len(late(6000))-3] + "; SET a 1 PXAT " + late(7000) + "; SET a 1 EXAT " + late(8000)[:len(late(8000))-3] +
				" GET; RESTORE b " + late(9000) + " x ABSTTL; RESTORE b 0 x; PERSIST a", ""},
		{"expiries of fields", "HPEXPIREAT a 5000 FIELDS 2 f g; HEXPIREAT a 6 FIELDS 1 f; HSETEX a PXAT 7000 FIELDS 1 px 9; HSETEX a KEEPTTL FIELDS 1 f 9; HGETEX a EXAT 8 FIELDS 1 f; HPERSIST a FIELDS 1 f",
			"HPEXPIREAT a " + late(5000) + " FIELDS 2 f g; HEXPIREAT a " + late(6000)[:len(late(6000))-3] + " FIELDS 1 f; HSETEX a PXAT " + late(7000) +
				" FIELDS 1 px 9; HSETEX a KEEPTTL FIELDS 1 f 9; HGETEX a EXAT " + late(8000)[:len(late(8000))-3] + " FIELDS 1 f; HPERSIST a FIELDS 1 f", ""},
		{"relative ones of fields", "HPEXPIRE a 5 FIELDS 1 f; HEXPIRE b 5 FIELDS 1 f; HSETEX c EX 5 FIELDS 1 f 1; HGETEX d PX 5 FIELDS 1 f; HPEXPIREAT e 5000 GT FIELDS 1 f; RESTORE f 0 \x19payload",
			"", "a b c d e f"},
		{"relative ones", "EXPIRE a 5; PEXPIRE b 5; SETEX c 5 v; SET d v EX 5; SET e v PX 5; RESTORE f 5 x; EXPIREAT g 5 GT; GETEX h EX 5", "", "a b c d e f g h"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.do("SELECT 0")
			b.do(strings.Split(c.stream, "; ")...)
			b.want(c.ops, c.dirty)
		})
	}
}

func TestStreamsThatEndAnImport(t *testing.T) {
	for line, want := range map[string]error{
		"FLUSHALL": ErrEmptied, "FLUSHDB": ErrEmptied, "FLUSHDB ASYNC": ErrEmptied, "SWAPDB 0 3": ErrEmptied, "SWAPDB 3 0": ErrEmptied,
		"SWAPDB 3 4": nil, "JSON.SET a b": errAny, "SELECT x": errAny,
	} {
		b := newBench(t)
		b.do("SELECT 0")
		err := b.try(line)
		if want == errAny && err == nil || want != errAny && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", line, err, want)
		}
	}
	if err := newBench(t).try("SET a 1"); err == nil {
		t.Error("a write before any SELECT was taken")
	}
}

var errAny = errors.New("some error")

// A key that was read again is written at the offset that it was read at, between the
// requests before and behind.
func TestRefresh(t *testing.T) {
	b := newBench(t)
	b.do("SELECT 0", "RENAME a b") // to 120
	refresh := func(key string, offset int64) error {
		return b.m.Refresh(key, offset, func() error { return b.m.Emit(Op{Args: [][]byte{[]byte("NEW"), []byte(key)}}) })
	}
	if keys := b.m.Unasked(10); len(keys) != 2 {
		t.Fatalf("%q", keys)
	}
	for _, err := range []error{refresh("b", 140), refresh("a", 130)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if keys := b.m.Unasked(10); len(keys) != 0 {
		t.Fatalf("%q", keys)
	}
	b.want("", "a b")
	b.do("SET a 1") // to 130
	b.want("NEW a", "b")
	b.do("SET a 2", "SET b 1")
	b.want("NEW a; SET a 2; NEW b; SET b 1", "")

	b.m.Dirty([]byte("a"))
	if err := refresh("a", b.m.Position()); err != nil {
		t.Fatal(err)
	}
	b.want("NEW a; SET a 2; NEW b; SET b 1; NEW a", "")
	b.m.Dirty([]byte("a"))
	if err := refresh("a", b.m.Position()-1); err == nil {
		t.Error("a value was taken that is older than the stream")
	}
	if err := refresh("c", b.m.Position()); err == nil {
		t.Error("a clean key was written anew")
	}
	if err := refresh("a", b.m.Position()+5); err != nil {
		t.Fatal(err)
	}
	if err := b.try("SET a 1"); err == nil {
		t.Error("a value was taken whose offset lies within a request")
	}
}

// From Settle on expiries far ahead are exact, and the keys that keep a shifted one are
// remembered.
func TestExpiriesSettle(t *testing.T) {
	b := newBench(t)
	b.do("SELECT 0", "PEXPIREAT early 9000")
	b.m.Expiries.Settle(5000)
	b.do("PEXPIREAT far 5000", "PEXPIREAT near 4999", "RENAME {x}a {x}b", "EXPIREAT far 6")
	b.want(fmt.Sprintf("PEXPIREAT early %s; PEXPIREAT far 5000; PEXPIREAT near %s; RENAME {x}a {x}b; EXPIREAT far 6", late(9000), late(4999)), "")
	near := b.m.Expiries.TakeNear()
	slices.Sort(near)
	if strings.Join(near, " ") != "near {x}b" {
		t.Errorf("near are %q", near)
	}
	if again := b.m.Expiries.TakeNear(); len(again) != 0 {
		t.Errorf("taken twice: %q", again)
	}
}

// Of fields the same holds, and the hashes that got a shifted one before Settle are
// remembered too.
func TestFieldExpiriesSettle(t *testing.T) {
	b := newBench(t)
	defer b.m.Expiries.begin()
	b.do("SELECT 0", "HPEXPIREAT early 9000 FIELDS 1 f", "RENAME {x}a {x}b")
	log := b.m.Expiries.takeFields()
	b.m.Expiries.Settle(5000)
	b.do("HPEXPIREAT far 5000 FIELDS 1 f", "HPEXPIREAT near 4999 FIELDS 1 f", "COPY {x}a {x}c")
	b.want(fmt.Sprintf("HPEXPIREAT early %s FIELDS 1 f; RENAME {x}a {x}b; HPEXPIREAT far 5000 FIELDS 1 f; HPEXPIREAT near %s FIELDS 1 f; COPY {x}a {x}c", late(9000), late(4999)), "")
	var early []string
	if err := log.each(func(key []byte) error { early = append(early, string(key)); return nil }); err != nil {
		t.Fatal(err)
	}
	near := b.m.Expiries.TakeNearFields()
	slices.Sort(near)
	if strings.Join(early, " ") != "early {x}b" || strings.Join(near, " ") != "near {x}c" {
		t.Errorf("early are %q, near %q", early, near)
	}

	// A cut-over that is put off begins with Settle again, and must know of what came since.
	b.do("HPEXPIREAT nearer 4000 FIELDS 1 f")
	log, early = b.m.Expiries.takeFields(), nil
	if log == nil {
		t.Fatal("what came since Settle is forgotten")
	}
	defer log.close()
	b.m.Expiries.Settle(6000)
	if err := log.each(func(key []byte) error { early = append(early, string(key)); return nil }); err != nil {
		t.Fatal(err)
	}
	if again := b.m.Expiries.TakeNearFields(); strings.Join(early, " ") != "nearer" || len(again) != 0 {
		t.Errorf("since Settle came %q, again %q", early, again)
	}
}

// What the source ends by itself is carried out, and counts as no write.
func TestOwnDeletions(t *testing.T) {
	b := newBench(t)
	b.m.Own = func(name string, args [][]byte) (bool, error) { return name == "del" && string(args[1]) == "due", nil }
	b.do("SELECT 0", "SET due 1", "DEL due", "DEL other", "SELECT 3", "DEL due")
	b.want("SET due 1; DEL due; DEL other", "")
	if b.m.Writes() != 2 || b.m.Ends() != 1 {
		t.Errorf("%d writes, %d ends", b.m.Writes(), b.m.Ends())
	}
	b.m.Own = func(string, [][]byte) (bool, error) { return false, errAny }
	if err := b.try("DEL due"); err != nil {
		t.Errorf("another database: %v", err)
	}
	b.do("SELECT 0")
	if err := b.try("DEL due"); !errors.Is(err, errAny) {
		t.Errorf("nobody could tell: %v", err)
	}
}
