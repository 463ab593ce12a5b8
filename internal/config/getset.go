package config

import (
	"fmt"
	"strings"

	"github.com/redwingdb/redwing/internal/glob"
	"github.com/redwingdb/redwing/internal/resp"
)

// Pair is a directive and its value, as CONFIG GET shows and CONFIG SET takes them.
type Pair struct{ Name, Value string }

// Get returns the directives whose name is one of the patterns or matches it (any
// letter case), each once. A name without wildcards is shown as it was asked for.
func (c *Config) Get(patterns ...string) []Pair {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Pair
	seen := make(map[string]bool)
	show := func(name string) {
		key := strings.ToLower(name)
		d := c.byName[key]
		if d == nil || d.effect == Refused || seen[key] {
			return
		}
		seen[key] = true
		out = append(out, Pair{name, d.value.text()})
	}
	for _, p := range patterns {
		if !strings.ContainsAny(p, "[*?") {
			show(p)
			continue
		}
		for _, name := range c.names() {
			if glob.MatchFold([]byte(p), []byte(name)) {
				show(name)
			}
		}
	}
	return out
}

// Set changes all of the pairs or, on an error, none of them. The texts are those
// of Redis 7.2.
func (c *Config) Set(pairs []Pair) *resp.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, refused := c.resolveLocked(pairs)
	if refused != nil {
		return refused
	}
	before := make([][]string, len(list))
	for i, d := range list {
		before[i] = d.value.args()
	}
	for i, d := range list {
		if err := d.value.set(wordsOf(d.value, pairs[i].Value)); err != nil {
			restore(list[:i], before)
			return setFailed(pairs[i].Name, err.Error())
		}
	}
	for i, d := range list {
		if d.onSet == nil {
			continue
		}
		if err := d.onSet(); err != nil {
			restore(list, before)
			for _, undo := range list[:i] {
				if undo.onSet != nil {
					_ = undo.onSet() // it held before; there is nothing better to go back to
				}
			}
			return setFailed(pairs[i].Name, err.Error())
		}
	}
	return nil
}

// wordsOf cuts one argument into words where v takes several of them.
func wordsOf(v value, arg string) []string {
	if !takesSeveral(v) {
		return []string{arg}
	}
	if words := strings.Fields(arg); len(words) > 0 {
		return words
	}
	return []string{""}
}

// resolveLocked finds the directives of pairs and refuses what cannot be changed.
// REQUIRES: c.mu held.
func (c *Config) resolveLocked(pairs []Pair) ([]*directive, *resp.Error) {
	list := make([]*directive, len(pairs))
	for i, p := range pairs {
		d := c.byName[strings.ToLower(p.Name)]
		switch {
		case d == nil || d.effect == Refused:
			return nil, resp.NewError("ERR Unknown option or number of arguments for CONFIG SET - '" + oneLine(p.Name) + "'")
		case !d.mutable():
			return nil, setFailed(p.Name, "can't set immutable config")
		}
		for _, other := range list[:i] {
			if other == d {
				return nil, setFailed(p.Name, "duplicate parameter")
			}
		}
		list[i] = d
	}
	return list, nil
}

func restore(list []*directive, before [][]string) {
	for i, d := range list {
		if err := d.value.set(before[i]); err != nil {
			panic(fmt.Sprintf("config: %s refuses its own value: %v", d.name, err)) // args and set disagree: a bug, met by the tests
		}
	}
}

func setFailed(name, why string) *resp.Error {
	return resp.NewError("ERR CONFIG SET failed (possibly related to argument '" + oneLine(name) + "') - " + oneLine(why))
}

// oneLine keeps what a client sent from ending an error reply early.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' {
			return ' '
		}
		return r
	}, s)
}
