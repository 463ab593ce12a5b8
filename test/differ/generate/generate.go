// Package generate draws sequences of commands from a seed: small alphabets of keys and
// elements so that commands meet, sizes on both sides of every encoding threshold, every
// option, wrong types, malformed requests and numbers at their extremes. It knows no
// server; the tests of differ run what it draws.
package generate

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// Command draws the arguments of one command.
type Command struct {
	Name   string // lower case, a subcommand behind its container: "xgroup create"
	Weight int    // how often it is drawn compared with its group's others
	Args   func(d *Draw) []string
}

// Group is the commands of one type.
type Group struct {
	Name     string
	Makers   []string // commands without one of which the group has nothing to work on
	Commands []Command
}

// Groups returns every group. What a group names need not exist yet: see New.
func Groups() []Group {
	return []Group{
		strs(), generic(), lists(), sets(), hashes(), zsets(), geos(), streams(), bitmaps(), hlls(), sorts(),
	}
}

// Generator draws sequences of the commands that a server has.
type Generator struct {
	groups []Group
	makers []Command // commands of any group that make a key, for wrong types
	shared []Command // commands on keys of any type
}

// New returns a generator of those commands for which has says yes; a group none of whose
// makers are there is left out.
func New(has func(command string) bool) *Generator {
	g := &Generator{}
	for _, group := range Groups() {
		group.Commands = slices.DeleteFunc(group.Commands, func(c Command) bool { return !has(c.Name) })
		isMaker := func(c Command) bool { return slices.Contains(group.Makers, c.Name) }
		if !slices.ContainsFunc(group.Commands, isMaker) {
			continue
		}
		for _, c := range group.Commands {
			if isMaker(c) {
				g.makers = append(g.makers, c)
			}
		}
		if group.Name == "generic" {
			g.shared = group.Commands
		}
		g.groups = append(g.groups, group)
	}
	return g
}

// Names returns the names of the groups.
func (g *Generator) Names() []string {
	var out []string
	for i := range g.groups {
		out = append(out, g.groups[i].Name)
	}
	return out
}

// Commands returns the names of all commands that are drawn.
func (g *Generator) Commands() []string {
	var out []string
	for i := range g.groups {
		for _, c := range g.groups[i].Commands {
			out = append(out, c.Name)
		}
	}
	return out
}

// Of a hundred commands of a sequence so many are not of its group.
const (
	percentShared = 12
	percentMakers = 4
)

// Sequence draws n commands of a group; the same seed draws the same.
func (g *Generator) Sequence(group string, seed uint64, n int) [][]string {
	r := rand.New(rand.NewPCG(seed, 1))
	d := &Draw{r: r, profile: profile(r.IntN(int(profiles)))}
	i := slices.IndexFunc(g.groups, func(x Group) bool { return x.Name == group })
	makers := g.makersFor(group, d)
	out := make([][]string, 0, n)
	for range n {
		from := g.groups[i].Commands
		switch p := r.IntN(100); {
		case p < percentShared && len(g.shared) > 0:
			from = g.shared
		case p < percentShared+percentMakers:
			from = makers
		}
		out = append(out, d.command(from))
	}
	return out
}

// makersFor returns the makers for a sequence. One that sets single bits or bytes has no
// HyperLogLogs: what is done with a broken one is left open.
func (g *Generator) makersFor(group string, d *Draw) []Command {
	not := "pfadd"
	switch group {
	case "hyperloglog":
		not = "setbit"
	case "string", "bitmap":
	default:
		not = d.One("pfadd", "setbit")
	}
	return slices.DeleteFunc(slices.Clone(g.makers), func(c Command) bool { return c.Name == not })
}

func (d *Draw) command(from []Command) []string {
	total := 0
	for i := range from {
		total += max(from[i].Weight, 1)
	}
	at := d.r.IntN(total)
	i := 0
	for ; at >= max(from[i].Weight, 1); i++ {
		at -= max(from[i].Weight, 1)
	}
	words := append(strings.Fields(from[i].Name), from[i].Args(d)...)
	return d.spoil(words)
}

// spoil makes a few requests malformed: a word too few, one too many, one replaced.
func (d *Draw) spoil(words []string) []string {
	switch d.r.IntN(150) {
	case 0:
		return words[:1+d.r.IntN(len(words))]
	case 1:
		return append(words, d.Word())
	case 2:
		if len(words) > 2 && words[1] != lexKey {
			words[1+d.r.IntN(len(words)-1)] = d.Word()
		}
	}
	return words
}
