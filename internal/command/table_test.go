package command

import (
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/acl"
)

func nothing(*Ctx) error { return nil }

func args(words ...string) [][]byte {
	out := make([][]byte, len(words))
	for i, w := range words {
		out[i] = []byte(w)
	}
	return out
}

// sample is a small sound table.
func sample() []Spec {
	return []Spec{
		{Name: "get", Arity: 2, Flags: ReadOnly | Fast, Cats: acl.String, Keys: Key(KeyRO | KeyAccess), Run: nothing},
		{Name: "mset", Arity: -3, Flags: Write | DenyOOM, Cats: acl.String, Keys: KeysTo(-1, 2, KeyOW|KeyUpdate), Run: nothing},
		{Name: "command", Arity: -1, Flags: Loading | Stale, Run: nothing, Subs: []Spec{
			{Name: "count", Arity: 2, Run: nothing},
			{Name: "info", Arity: -2, Run: nothing},
		}},
		{Name: "object", Arity: -2, Subs: []Spec{
			{Name: "encoding", Arity: 3, Flags: ReadOnly, Keys: []KeySpec{{Flags: KeyRO, Begin: 2, Step: 1}}, Run: nothing},
		}},
		{Name: "eval", Arity: -3, Flags: NoScript, Cats: acl.Scripting, Run: nothing,
			Keys: []KeySpec{{Flags: KeyRW, Begin: 2, UseCount: true, FirstAt: 1, Step: 1}}},
	}
}

func newSample(t testing.TB) *Table {
	table, err := NewTable(sample()[:2], sample()[2:])
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestResolve(t *testing.T) {
	table := newSample(t)
	long := strings.Repeat("x", 200)
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"get", "k"}, "get"},
		{[]string{"GeT", "k"}, "get"},
		{[]string{"get"}, "ERR wrong number of arguments for 'get' command"},
		{[]string{"get", "k", "l"}, "ERR wrong number of arguments for 'get' command"},
		{[]string{"mset", "k"}, "ERR wrong number of arguments for 'mset' command"},
		{[]string{"command"}, "command"},
		{[]string{"command", "INFO", "a", "b"}, "command|info"},
		{[]string{"command", "count", "x"}, "ERR wrong number of arguments for 'command|count' command"},
		{[]string{"command", "none"}, "ERR unknown subcommand 'none'. Try COMMAND HELP."},
		{[]string{"object"}, "ERR wrong number of arguments for 'object' command"},
		{[]string{"Object", "Encoding", "k"}, "object|encoding"},
		{[]string{"object", "Foo\r\nBar"}, "ERR unknown subcommand 'Foo  Bar'. Try OBJECT HELP."},
		{[]string{""}, "ERR unknown command '', with args beginning with: "},
		{[]string{"nope", "a", "b c"}, "ERR unknown command 'nope', with args beginning with: 'a' 'b c' "},
		{[]string{"no\npe", "\x00a"}, "ERR unknown command 'no pe', with args beginning with: '' "},
		{[]string{long, long, "z"}, "ERR unknown command '" + long[:128] + "', with args beginning with: '" + long[:128] + "' "},
		{[]string{"get\x00", "k"}, "ERR unknown command 'get', with args beginning with: 'k' "},
	} {
		spec, refused := table.Resolve(args(c.words...))
		got := ""
		if refused != nil {
			got = refused.Error()
		} else {
			got = spec.FullName()
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.words, got, c.want)
		}
	}
}

// Every fault of a literal is found when the table is built.
func TestNewTableRefuses(t *testing.T) {
	for want, spoil := range map[string]func(s []Spec){
		"twice":                      func(s []Spec) { s[1].Name = "get" },
		"subcommand given twice":     func(s []Spec) { s[2].Subs[1].Name = "count" },
		"lower-case":                 func(s []Spec) { s[0].Name = "Get" },
		"no room for the name":       func(s []Spec) { s[0].Arity, s[0].Keys = 0, nil },
		"leaves no room":             func(s []Spec) { s[2].Subs[0].Arity = 1 },
		"neither a handler":          func(s []Spec) { s[0].Run = nil },
		"a pure container":           func(s []Spec) { s[3].Arity = -3 },
		"exclude each other":         func(s []Spec) { s[0].Flags |= Write },
		"denyoom without write":      func(s []Spec) { s[0].Flags |= DenyOOM },
		"changes nothing":            func(s []Spec) { s[0].Flags |= NoEffect },
		"movablekeys is derived":     func(s []Spec) { s[0].Flags |= MovableKeys },
		"without locking":            func(s []Spec) { s[1].Shards = ShardsNone },
		"0 of RW, RO, OW and RM":     func(s []Spec) { s[0].Keys[0].Flags = KeyAccess },
		"2 of RW, RO, OW and RM":     func(s []Spec) { s[0].Keys[0].Flags = KeyRO | KeyRM },
		"argument 2 of at least 2":   func(s []Spec) { s[0].Keys[0].Begin = 2 },
		"argument 3 of at least 2":   func(s []Spec) { s[0].Keys[0].Last = 2 },
		"step 0":                     func(s []Spec) { s[0].Keys[0].Step = 0 },
		"begins at the name":         func(s []Spec) { s[0].Keys[0].Begin = 0 },
		"subcommand has subcommands": func(s []Spec) { s[2].Subs[0].Subs = []Spec{{Name: "x", Arity: 2, Run: nothing}} },
	} {
		specs := sample()
		spoil(specs)
		if _, err := NewTable(specs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q expected, got %v", want, err)
		}
	}
}

func TestNewTableLeavesLiteralsAlone(t *testing.T) {
	specs := sample()
	for range 2 { // a literal that had been changed would be refused or found twice
		if _, err := NewTable(specs); err != nil {
			t.Fatal(err)
		}
	}
	if specs[0].Cats != acl.String || specs[4].Flags != NoScript || specs[2].Subs[0].full != "" {
		t.Error("NewTable wrote into its arguments")
	}
}

func TestDerived(t *testing.T) {
	table := newSample(t)
	get, mset, eval := table.Lookup([]byte("GET")), table.Lookup([]byte("mset")), table.Lookup([]byte("eval"))
	encoding := table.Lookup([]byte("object")).Sub([]byte("ENCODING"))
	if get.Cats != acl.String|acl.Read|acl.Fast || mset.Cats != acl.String|acl.Write|acl.Slow || eval.Cats != acl.Scripting|acl.Slow {
		t.Errorf("categories %v %v %v", get.Cats.Names(), mset.Cats.Names(), eval.Cats.Names())
	}
	if get.SingleKey() != 1 || mset.SingleKey() != 0 || eval.SingleKey() != 0 || encoding.SingleKey() != 2 {
		t.Error("single keys", get.SingleKey(), mset.SingleKey(), eval.SingleKey(), encoding.SingleKey())
	}
	if get.Has(MovableKeys) || !eval.Has(MovableKeys) {
		t.Error("movablekeys")
	}
	if first, last, step := mset.LegacyRange(); first != 1 || last != -1 || step != 2 {
		t.Error("legacy range of mset", first, last, step)
	}
	if encoding.FullName() != "object|encoding" || encoding.Parent().Name != "object" {
		t.Error(encoding.FullName(), encoding.Parent())
	}
	names := ""
	for _, s := range table.All() {
		names += s.Name + " "
	}
	if names != "command eval get mset object " {
		t.Error(names)
	}
}

// Two specs behind each other make one range; a gap makes keys movable.
func TestLegacyRangeOfSeveralSpecs(t *testing.T) {
	two := func(second int) *Spec {
		s := Spec{Name: "x", Arity: -5, Flags: Write, Run: nothing, Keys: []KeySpec{
			{Flags: KeyRO, Begin: 1, Step: 1}, {Flags: KeyOW, Begin: second, Step: 1},
		}}
		table, err := NewTable([]Spec{s})
		if err != nil {
			t.Fatal(err)
		}
		return table.Lookup([]byte("x"))
	}
	s := two(2)
	if first, last, step := s.LegacyRange(); first != 1 || last != 2 || step != 1 || s.Has(MovableKeys) {
		t.Error("adjacent", first, last, step)
	}
	s = two(3)
	if first, last, step := s.LegacyRange(); first != 1 || last != 1 || step != 1 || !s.Has(MovableKeys) {
		t.Error("with a gap", first, last, step)
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	table, request := newSample(t), args("MSET", "k", "v")
	if n := testing.AllocsPerRun(100, func() { table.Resolve(request) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzLookup(f *testing.F) {
	for _, s := range []string{"get", "GET", "G\x05T", "mset", "command", "`et", ""} {
		f.Add(s)
	}
	table := newSample(f)
	f.Fuzz(func(t *testing.T, name string) {
		var want *Spec
		for _, s := range table.All() {
			if asciiLower(name) == s.Name {
				want = s
			}
		}
		if got := table.Lookup([]byte(name)); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	})
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func BenchmarkResolve(b *testing.B) {
	table, request := newSample(b), args("GET", "k")
	b.ReportAllocs()
	for b.Loop() {
		table.Resolve(request)
	}
}
