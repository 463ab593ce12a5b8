package migration

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// The words of the hidden commands. They travel in the move's stream and in the effect
// log of either side, and no client can run them.
//
//	RW.STAGE BEGIN  stage tag slots                     an empty stage
//	RW.STAGE PUT    stage slot key meta value [...]     records of the snapshot
//	RW.STAGE RUN    stage slot requests                 effects: one request, or a transaction's
//	RW.STAGE FLUSH  stage                               FLUSHALL at the source
//	RW.STAGE ATTACH stage slots                         the slots are the shard's now
//	RW.STAGE DROP   stage                               the attempt is over
//	RW.LEAVE slots                                      the slots are the shard's no more
var (
	wordStage  = []byte("RW.STAGE")
	wordBegin  = []byte("BEGIN")
	wordPut    = []byte("PUT")
	wordRun    = []byte("RUN")
	wordFlush  = []byte("FLUSH")
	wordAttach = []byte("ATTACH")
	wordDrop   = []byte("DROP")
	wordLeave  = []byte("RW.LEAVE")
)

// errHidden is the answer to a client.
func errHidden(name string) *resp.Error {
	return resp.NewError("ERR unknown command '" + name + "'")
}

// Specs returns the hidden commands, by which staged slots come, go and become real.
func (s *Staging) Specs() []command.Spec {
	const flags = command.Write | command.Admin | command.NoScript | command.NoMulti | command.NoEffect | command.OnlyCluster
	sub := func(name string, arity int, shards func(*command.Ctx) engine.ShardMask, run command.Handler) command.Spec {
		spec := command.Spec{Name: name, Arity: arity, Flags: flags, Cats: acl.Dangerous, Run: hidden(run), ShardsFor: shards, Group: "cluster"}
		if shards == nil {
			spec.Shards = command.ShardsAll
		}
		return spec
	}
	leave := sub("rw.leave", 2, s.shardsOfRanges, s.runLeave)
	return []command.Spec{
		{Name: "rw.stage", Arity: -2, Flags: flags, Cats: acl.Dangerous, Group: "cluster", Subs: []command.Spec{
			sub("begin", 5, s.shardsOfRanges, s.runBegin),
			sub("put", -7, s.shardOfSlot, s.runPut),
			sub("run", 5, s.shardOfSlot, s.runEffects),
			sub("flush", 3, nil, s.runFlush),
			sub("attach", 4, s.shardsOfRanges, s.runAttach),
			sub("drop", 3, nil, s.runDrop),
		}},
		leave,
	}
}

// hidden refuses what does not come by a stream.
func hidden(run command.Handler) command.Handler {
	return func(c *command.Ctx) error {
		if !c.Applying {
			return errHidden(c.Spec.FullName())
		}
		return run(c)
	}
}

// shardsOfRanges locks the shards of the last argument, a set of slots. A malformed
// one locks nothing: the handler refuses it.
func (s *Staging) shardsOfRanges(c *command.Ctx) engine.ShardMask {
	set, err := parseRanges(string(c.Args[len(c.Args)-1]))
	if err != nil {
		return 0
	}
	return s.mask(&set)
}

func (s *Staging) shardOfSlot(c *command.Ctx) engine.ShardMask {
	slot, ok := parseSlot(c.Args[3])
	if !ok {
		return 0
	}
	return s.ks.Mask(slot)
}

func (s *Staging) runBegin(c *command.Ctx) error {
	tag, ok := ParseTag(string(c.Args[3]))
	set, err := parseRanges(string(c.Args[4]))
	if !ok || err != nil || set.Empty() {
		return resp.ErrSyntax
	}
	s.begin(tag, string(c.Args[2]), &set)
	c.Out.OK()
	return nil
}

// runPut sets staged records. A copy that does not have the stage (it was synced since
// BEGIN) passes over them; ATTACH will bring nothing there, and the primary knows.
func (s *Staging) runPut(c *command.Ctx) error {
	slot, ok := parseSlot(c.Args[3])
	records := c.Args[4:]
	if !ok || len(records)%3 != 0 {
		return resp.ErrSyntax
	}
	if !s.has(c.Args[2], slot) {
		c.Out.OK()
		return nil
	}
	bytes := 0
	for _, a := range records {
		bytes += len(a)
	}
	if bytes > command.SlowBytes && !c.Owner {
		return command.ErrSlow
	}
	db := c.Keyspace.Access(c.Keyspace.StagingDB(), c.Now(), engine.ModeApply)
	for ; len(records) > 0; records = records[3:] {
		if slots.Of(records[0]) != slot {
			return resp.ErrCrossSlot
		}
		if err := putRecord(&db, slot, records[0], records[1], records[2]); err != nil {
			return err
		}
	}
	c.Out.OK()
	return nil
}

// effectRunner runs the requests of one RUN. Runners are pooled: streams of several
// moves apply at once.
type effectRunner struct {
	ctx    command.Ctx
	out    resp.Writer
	keys   []command.KeyRef
	parser resp.Parser
}

var effectRunners = sync.Pool{New: func() any {
	return &effectRunner{parser: resp.Parser{MaxBulk: -1}}
}}

// runEffects runs effects of the source in the staging database. What ErrSlow asks for
// is asked for in turn, unless something has run already.
func (s *Staging) runEffects(c *command.Ctx) error {
	slot, ok := parseSlot(c.Args[3])
	if !ok {
		return resp.ErrSyntax
	}
	if !s.has(c.Args[2], slot) {
		c.Out.OK()
		return nil
	}
	r := effectRunners.Get().(*effectRunner)
	err := r.run(s.table.Load(), c, slot, c.Args[4])
	if err == nil {
		effectRunners.Put(r) // after an error its parser may be amid a request
		c.Out.OK()
	}
	return err
}

func (r *effectRunner) run(table *command.Table, c *command.Ctx, slot slots.Slot, requests []byte) error {
	for first := true; len(requests) > 0; first = false {
		args, n, bad := r.parser.Next(requests)
		switch {
		case bad != nil:
			return bad
		case n == 0:
			return resp.ErrSyntax
		}
		requests = requests[n:]
		if err := r.one(table, c, slot, args, c.Owner || !first); err != nil {
			return err
		}
	}
	return nil
}

func (r *effectRunner) one(table *command.Table, c *command.Ctx, slot slots.Slot, args [][]byte, owner bool) error {
	if len(args) == 0 {
		return resp.ErrSyntax
	}
	spec, refused := table.Resolve(args)
	if refused != nil {
		return refused
	}
	if !spec.Has(command.Write) || spec.Shards != command.ShardsOfKeys || spec.ShardsFor != nil {
		return fmt.Errorf("%s within RW.STAGE RUN: %w", spec.FullName(), command.ErrNotApplicable)
	}
	keys, ok := spec.AppendKeys(r.keys[:0], args)
	r.keys = keys
	if !ok || len(keys) == 0 {
		return fmt.Errorf("%s within RW.STAGE RUN: %w", spec.FullName(), command.ErrNotApplicable)
	}
	for _, k := range keys {
		if slots.Of(args[k.Arg]) != slot {
			return resp.ErrCrossSlot // its shard may not be locked
		}
	}
	r.ctx.Keyspace, r.ctx.Out = c.Keyspace, &r.out
	r.ctx.Applying, r.ctx.Owner, r.ctx.MaxBulkBytes = true, owner, c.MaxBulkBytes
	r.ctx.DB = c.Keyspace.Access(c.Keyspace.StagingDB(), c.Now(), engine.ModeApply)
	r.ctx.Begin(spec, args, spec.SingleKey(), slot)
	err := spec.Run(&r.ctx)
	r.ctx.Spec, r.ctx.Args = nil, nil
	if r.out.Buf = r.out.Buf[:0]; cap(r.out.Buf) > command.SlowBytes {
		r.out.Buf = nil
	}
	if err != nil && !errors.Is(err, command.ErrSlow) {
		return fmt.Errorf("stage %s: %w", spec.FullName(), err)
	}
	return err
}

func (s *Staging) runFlush(c *command.Ctx) error {
	set, _ := s.remaining(string(c.Args[2]))
	s.empty(&set)
	c.Out.OK()
	return nil
}

func (s *Staging) runAttach(c *command.Ctx) error {
	set, err := parseRanges(string(c.Args[3]))
	if err != nil {
		return resp.ErrSyntax
	}
	s.attach(string(c.Args[2]), &set)
	c.Out.OK()
	return nil
}

func (s *Staging) runDrop(c *command.Ctx) error {
	s.drop(string(c.Args[2]))
	c.Out.OK()
	return nil
}

func (s *Staging) runLeave(c *command.Ctx) error {
	set, err := parseRanges(string(c.Args[1]))
	if err != nil {
		return resp.ErrSyntax
	}
	for slot := range set.Each() {
		s.ks.DropSlot(0, slot)
	}
	c.Out.OK()
	return nil
}

// parseRanges reads what slots.Set.String writes: "0-10 12 15-20".
func parseRanges(text string) (set slots.Set, err error) {
	for word := range strings.FieldsSeq(text) {
		first, last, isRange := strings.Cut(word, "-")
		from, ok := parseSlot([]byte(first))
		to := from
		if isRange && ok {
			to, ok = parseSlot([]byte(last))
		}
		if !ok || from > to {
			return slots.Set{}, fmt.Errorf("migration: %q is no range of slots", word)
		}
		set.AddRange(slots.Range{From: from, To: to})
	}
	return set, nil
}

// parseSlot reads a slot's decimal number.
func parseSlot(b []byte) (slots.Slot, bool) {
	if len(b) == 0 || len(b) > 5 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return slots.Slot(n), n < slots.Count
}
