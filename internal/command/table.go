package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/resp"
)

// Table holds every command of a server. It is immutable once built.
type Table struct {
	index index
	all   []*Spec // sorted by name
}

// NewTable checks the specs of groups and builds a table of copies of them, with
// what can be derived filled in: full names, containers, the single key, the
// movablekeys flag and the ACL categories that flags imply. The error joins every
// fault found; a server must not start with one.
func NewTable(groups ...[]Spec) (*Table, error) {
	t := &Table{}
	var errs []error
	seen := make(map[string]bool)
	for _, group := range groups {
		for i := range group {
			s := group[i]
			s.Subs = slices.Clone(s.Subs)
			if seen[s.Name] {
				errs = append(errs, fmt.Errorf("command: %q stands in the table twice", s.Name))
				continue
			}
			seen[s.Name] = true
			errs = append(errs, s.complete(nil)...)
			t.all = append(t.all, &s)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	slices.SortFunc(t.all, func(a, b *Spec) int { return strings.Compare(a.Name, b.Name) })
	t.index = newIndex(t.all)
	return t, nil
}

// All returns every top-level command sorted by name. The slice is the table's own.
func (t *Table) All() []*Spec { return t.all }

// Lookup returns the top-level command called name in any letter case, or nil.
func (t *Table) Lookup(name []byte) *Spec { return t.index.find(name) }

// Resolve returns the command or subcommand that a request names, having checked the
// number of its arguments. args must not be empty. Source of order and texts: Redis
// 7.2, server.c, commandCheckExistence and commandCheckArity.
func (t *Table) Resolve(args [][]byte) (*Spec, *resp.Error) {
	s := t.index.find(args[0])
	if s == nil {
		return nil, unknownCommand(args)
	}
	if len(args) > 1 && len(s.Subs) > 0 {
		container := s
		if s = container.subs.find(args[1]); s == nil {
			return nil, unknownSubcommand(args)
		}
	}
	if !s.ArityOK(len(args)) {
		return nil, s.wrongArity
	}
	return s, nil
}

// complete derives what can be derived for s and its subcommands and returns every
// fault of the literal.
func (s *Spec) complete(parent *Spec) (errs []error) {
	s.full, s.parent = s.Name, parent
	if parent != nil {
		s.full = parent.Name + "|" + s.Name
	}
	s.wrongArity = resp.WrongArity(s.full)
	s.Cats |= impliedCategories(s.Flags, s.Cats)
	s.setLegacyRange()
	s.setSingleKey()

	subs := make([]*Spec, len(s.Subs))
	seen := make(map[string]bool)
	for i := range s.Subs {
		sub := &s.Subs[i]
		subs[i] = sub
		errs = append(errs, sub.complete(s)...)
		if seen[sub.Name] {
			errs = append(errs, fmt.Errorf("command %s: subcommand given twice", sub.full))
		}
		seen[sub.Name] = true
	}
	slices.SortFunc(subs, func(a, b *Spec) int { return strings.Compare(a.Name, b.Name) })
	s.subs, s.subList = newIndex(subs), subs
	return append(errs, s.check()...)
}

// impliedCategories returns the categories that flags bring with them (Redis 7.2,
// server.c, setImplicitACLCategories).
func impliedCategories(f Flags, explicit acl.Category) (c acl.Category) {
	if f&Write != 0 {
		c |= acl.Write
	}
	if f&ReadOnly != 0 && explicit&acl.Scripting == 0 {
		c |= acl.Read
	}
	if f&Admin != 0 {
		c |= acl.Admin | acl.Dangerous
	}
	if f&PubSub != 0 {
		c |= acl.PubSub
	}
	if f&Blocking != 0 {
		c |= acl.Blocking
	}
	if f&Fast != 0 {
		return c | acl.Fast
	}
	return c | acl.Slow
}

// setSingleKey notes the place of the only key, where there is exactly one.
func (s *Spec) setSingleKey() {
	if len(s.Keys) != 1 || s.FindKeys != nil {
		return
	}
	k := &s.Keys[0]
	if k.Keyword == "" && !k.UseCount && !k.Unknown && k.Last == 0 && k.Flags&NotKey == 0 {
		s.firstKey = k.Begin
	}
}
