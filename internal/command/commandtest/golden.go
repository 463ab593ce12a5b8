package commandtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/command"
)

// Difference is one field in which a command of a table is not what Redis' COMMAND
// says of it.
type Difference struct {
	Command string // full name
	Field   string // arity, flags, keys, categories, keyspecs; "command" where Redis has none
	Redis   string
	Ours    string
}

// TableDiff compares every command and subcommand of t with the COMMAND reply of r:
// arity, flags, first and last key and step, ACL categories and key specs. Commands
// that only Redis has are no difference.
func TableDiff(t *command.Table, r *Redis) []Difference {
	var diffs []Difference
	theirs := byName(r.Ask("COMMAND").Items)
	for _, s := range t.All() {
		diffs = append(diffs, specDiff(s, theirs)...)
	}
	return diffs
}

// byName returns the entries of a COMMAND reply by full name.
func byName(entries []Reply) map[string]Reply {
	out := make(map[string]Reply)
	for _, e := range entries {
		out[e.Items[0].Text] = e
		for name, sub := range byName(e.Items[9].Items) {
			out[name] = sub
		}
	}
	return out
}

func specDiff(s *command.Spec, theirs map[string]Reply) (diffs []Difference) {
	differ := func(field, redis, ours string) {
		if redis != ours {
			diffs = append(diffs, Difference{s.FullName(), field, redis, ours})
		}
	}
	if e, ok := theirs[s.FullName()]; !ok {
		differ("command", "absent", "present")
	} else {
		i := e.Items
		first, last, step := s.LegacyRange()
		differ("arity", i[1].Text, strconv.Itoa(s.Arity))
		differ("flags", sorted(i[2].Strings()), sorted(s.Flags.Names()))
		differ("keys", i[3].Text+" "+i[4].Text+" "+i[5].Text, fmt.Sprint(first, last, step))
		differ("categories", sorted(i[6].Strings()), sorted(prefixed("@", s.Cats.Names())))
		differ("keyspecs", theirSpecs(i[8]), ourSpecs(s.Keys))
	}
	for _, sub := range s.SubSpecs() {
		diffs = append(diffs, specDiff(sub, theirs)...)
	}
	return diffs
}

func sorted(words []string) string {
	slices.Sort(words)
	return strings.Join(words, " ")
}

func prefixed(prefix string, words []string) []string {
	for i := range words {
		words[i] = prefix + words[i]
	}
	return words
}

// ourSpecs and theirSpecs write key specs in one form.
func ourSpecs(specs []command.KeySpec) string {
	var out []string
	for i := range specs {
		k := &specs[i]
		begin := fmt.Sprintf("index(%d)", k.Begin)
		find := fmt.Sprintf("range(%d %d %d)", k.Last, k.Step, k.Limit)
		switch {
		case k.Unknown:
			begin, find = "unknown()", "unknown()"
		case k.Keyword != "":
			begin = fmt.Sprintf("keyword(%s %d)", k.Keyword, k.Begin)
		}
		if k.UseCount {
			find = fmt.Sprintf("keynum(%d %d %d)", k.CountAt, k.FirstAt, k.Step)
		}
		out = append(out, sorted(k.Flags.Names())+" "+begin+" "+find)
	}
	return strings.Join(out, "; ")
}

func theirSpecs(specs Reply) string {
	var out []string
	for _, k := range specs.Items {
		p := k.Pairs()
		out = append(out, sorted(p["flags"].Strings())+" "+search(p["begin_search"])+" "+search(p["find_keys"]))
	}
	return strings.Join(out, "; ")
}

// search writes one half of a key spec: its type and the values of its fields.
func search(half Reply) string {
	p := half.Pairs()
	var values []string
	spec := p["spec"].Items
	for i := 1; i < len(spec); i += 2 {
		values = append(values, spec[i].Text)
	}
	return p["type"].Text + "(" + strings.Join(values, " ") + ")"
}
