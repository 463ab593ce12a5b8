// Package command holds the one literal that says everything about a command: its
// Spec. Dispatch, routing, ACL, locking, replication and COMMAND are all driven by
// it. The package checks the table when it is built; it runs no command itself.
package command

import (
	"errors"

	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

// ErrSlow is returned by a handler that would touch too much to run under shard
// mutexes (more than SlowElements elements or SlowBytes bytes), before its first
// change and its first reply byte. The command is run again as an owner of its
// shards, with Ctx.Owner set.
var ErrSlow = errors.New("command: too long to run under a shard mutex")

// Bounds past which a handler returns ErrSlow.
const (
	SlowElements = 10_000
	SlowBytes    = 1 << 20
)

// Handler runs a command: it changes data through c.DB, appends exactly one reply
// to c.Out, and says what changed (Ctx.Changed, Ctx.Effect). A returned *resp.Error
// becomes the reply instead (nothing may have been appended then); ErrSlow asks to
// be run again as an owner. Any other error is a bug.
type Handler func(c *Ctx) error

// ShardNeed says which data shards a command locks.
type ShardNeed uint8

const (
	ShardsOfKeys ShardNeed = iota // the shards of its keys
	ShardsAll                     // every shard
	ShardsNone                    // none: it reads atomics or sleeps
)

// Spec says everything the server knows about a command.
type Spec struct {
	Name   string // lower case; for a subcommand its own word alone
	Arity  int    // number of arguments with the name; negative: at least
	Flags  Flags
	Cats   acl.Category // group categories; those that flags imply are added by NewTable
	Keys   []KeySpec
	Shards ShardNeed
	// ShardsFor, where set, overrides Shards (SCAN: the shard of the cursor). It is
	// called before locking, with Spec, Args and Keyspace of c set and c.DB naming
	// the database.
	ShardsFor func(c *Ctx) engine.ShardMask
	// FindKeys, where set, finds the keys that no KeySpec can (SORT, MIGRATE).
	FindKeys func(dst []KeyRef, args [][]byte) ([]KeyRef, bool)
	// KeyFlagsFor, where set, says what a request does with its keys where that depends
	// on its words (SET with GET); the flags of Keys are then those of the worst case.
	KeyFlagsFor func(args [][]byte) KeyFlags
	Run         Handler
	Subs        []Spec

	Tips       []string
	Group      string // "string", "generic", ... as COMMAND DOCS has it
	Since      string
	Summary    string
	Complexity string

	// What follows is derived by NewTable.
	full       string // "config|get"
	parent     *Spec
	firstKey   int // argument index of the only key, 0 if there is not exactly one fixed key
	subs       index
	subList    []*Spec // sorted by name
	legacy     legacyRange
	movable    bool // MovableKeys was derived
	wrongArity *resp.Error
}

// FullName returns "name", or "container|name" for a subcommand.
func (s *Spec) FullName() string { return s.full }

// Parent returns the container of a subcommand, or nil.
func (s *Spec) Parent() *Spec { return s.parent }

// Sub returns the subcommand called name in any letter case, or nil.
func (s *Spec) Sub(name []byte) *Spec { return s.subs.find(name) }

// SubSpecs returns the subcommands sorted by name. The slice is the table's own.
func (s *Spec) SubSpecs() []*Spec { return s.subList }

// Has reports whether all flags of f are set.
func (s *Spec) Has(f Flags) bool { return s.Flags&f == f }

// ArityOK reports whether n arguments, the name included, are acceptable.
func (s *Spec) ArityOK(n int) bool {
	if s.Arity >= 0 {
		return n == s.Arity
	}
	return n >= -s.Arity
}

// SingleKey returns the argument index of the key of a command that always has
// exactly one at a fixed place, or 0.
func (s *Spec) SingleKey() int { return s.firstKey }

// AppendKeys appends the keys of a request to dst; ok is false if they cannot be told.
func (s *Spec) AppendKeys(dst []KeyRef, args [][]byte) (_ []KeyRef, ok bool) {
	if s.FindKeys != nil {
		return s.FindKeys(dst, args)
	}
	begin := len(dst)
	dst, ok = s.keysByRule(dst, args)
	if ok && s.KeyFlagsFor != nil {
		flags := s.KeyFlagsFor(args)
		for i := range dst[begin:] {
			dst[begin+i].Flags = flags
		}
	}
	return dst, ok
}

// keysByRule is AppendKeys by the key specs alone; unlike FindKeys it lets dst lie on
// the caller's stack.
func (s *Spec) keysByRule(dst []KeyRef, args [][]byte) (_ []KeyRef, ok bool) {
	for i := range s.Keys {
		if dst, ok = s.Keys[i].AppendKeys(dst, args); !ok {
			return dst, false
		}
	}
	return dst, true
}
