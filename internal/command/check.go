package command

import (
	"fmt"
	"math/bits"
	"strings"
)

// check returns every contradiction within the literal of s.
func (s *Spec) check() (errs []error) {
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("command "+s.full+": "+format, args...))
	}
	if s.Name == "" || s.Name != strings.ToLower(s.Name) || strings.ContainsAny(s.Name, " |\r\n") {
		bad("name %q is not one lower-case word", s.Name)
	}
	words := 1
	if s.parent != nil {
		words = 2
	}
	if s.minArgs() < words {
		bad("arity %d leaves no room for the name", s.Arity)
	}
	switch {
	case s.Run == nil && len(s.Subs) == 0:
		bad("has neither a handler nor subcommands")
	case s.Run == nil && s.Arity != -2:
		bad("arity %d, a pure container has -2", s.Arity)
	case s.parent != nil && len(s.Subs) > 0:
		bad("a subcommand has subcommands")
	}
	for _, pair := range [][2]Flags{{Write, ReadOnly}, {OnlyPlain, OnlyCluster}, {OffLoop, Write}} {
		if s.Has(pair[0] | pair[1]) {
			bad("flags %#x exclude each other", uint64(pair[0]|pair[1]))
		}
	}
	if s.Has(DenyOOM) && !s.Has(Write) {
		bad("denyoom without write")
	}
	if s.Has(NoEffect) && !s.Has(Write) && !s.Has(MayReplicate) {
		bad("NoEffect on a command that changes nothing")
	}
	if s.Flags&MovableKeys != 0 && !s.movable {
		bad("movablekeys is derived, not given")
	}
	if s.ShardsFor != nil && s.Shards != ShardsOfKeys {
		bad("both ShardsFor and Shards %d", s.Shards)
	}
	if s.Has(Write) && len(s.Keys) > 0 && s.Shards == ShardsNone {
		bad("writes keys without locking their shards")
	}
	for i := range s.Keys {
		s.Keys[i].check(s.minArgs(), func(format string, args ...any) {
			bad("key spec %d: "+format, append([]any{i}, args...)...)
		})
	}
	return errs
}

// check reports what is wrong with k for requests of at least minArgs arguments.
func (k *KeySpec) check(minArgs int, bad func(format string, args ...any)) {
	if n := bits.OnesCount32(uint32(k.Flags & (KeyRW | KeyRO | KeyOW | KeyRM))); n > 1 || n == 0 && k.Flags&NotKey == 0 {
		bad("%d of RW, RO, OW and RM", n)
	}
	if k.Unknown {
		return
	}
	if k.Step < 1 {
		bad("step %d", k.Step)
	}
	if k.Begin == 0 {
		bad("begins at the name")
	}
	if k.Keyword != "" {
		return // where the keyword stands only the request tells
	}
	furthest := k.Begin
	switch {
	case k.UseCount:
		furthest += k.CountAt
	case k.Last < 0:
		furthest-- // there may be none
	default:
		furthest += k.Last
	}
	if k.Flags&NotKey != 0 && k.Last < 0 {
		return // there may be no channel
	}
	if k.Begin < 0 || k.CountAt < 0 || furthest >= minArgs {
		bad("argument %d of at least %d", furthest, minArgs)
	}
}

// minArgs returns the smallest acceptable number of arguments.
func (s *Spec) minArgs() int { return max(s.Arity, -s.Arity) }
