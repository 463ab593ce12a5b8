package stream

import (
	"math"
	"slices"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/stream"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errZeroID    = resp.NewError("ERR The ID specified in XADD must be greater than 0-0")
	errSmallID   = resp.NewError("ERR The ID specified in XADD is equal or smaller than the target stream top item")
	errExhausted = resp.NewError("ERR The stream has exhausted the last possible ID, unable to add more items")
	errTooLarge  = resp.NewError("ERR Elements are too large to be stored")
)

func xadd(c *command.Ctx) error {
	o, err := parseAddOptions(c, true)
	if err != nil {
		return err
	}
	if o.idArg >= len(c.Args) {
		return resp.WrongArity("xadd")
	}
	pairs := c.Args[o.idArg+1:]
	if len(pairs) < 2 || len(pairs)%2 == 1 {
		return resp.WrongArity("xadd")
	}
	if !o.auto && !o.id.anySeq && o.id.IsZero() {
		return errZeroID
	}
	var x engine.Stream
	found, err := open(c, &x, 1)
	if err != nil {
		return err
	}
	if !found && o.noMake {
		c.Out.Null()
		return nil
	}
	var last stream.ID
	if found {
		last = x.View().Last
	}
	id, err := nextID(c, &o, last)
	if err != nil {
		return err
	}
	if !stream.Fits(pairs) {
		return errTooLarge
	}
	if c.Slow(len(pairs), int(bytesOf(pairs))) || found && o.trims && slowTrim(c, x.View(), &o) {
		return command.ErrSlow
	}
	if !found {
		if err := x.Make(); err != nil {
			return err
		}
	}
	s := x.Edit()
	if err := s.Append(id, pairs, x.StreamLimits()); err != nil {
		if !found {
			x.Remove()
		}
		return engine.StoreError(err)
	}
	c.Changed(1)
	c.Notify(command.NotifyStream, "xadd", 1)
	var room [stream.IDText]byte
	text := id.Append(room[:0])
	if !o.trims {
		c.Out.Bulk(text)
		if o.auto || o.id.anySeq || o.refsArg != 0 {
			stage(c, &o, text, nil)
		}
		return nil
	}
	return trimAdded(c, &x, &o, text)
}

// trimAdded trims the stream to which the entry id was added, and replies.
func trimAdded(c *command.Ctx, x *engine.Stream, o *addOptions, id []byte) error {
	s, lost := x.Edit(), o.prepare(x)
	taken, edge, err := s.Trim(o.trim)
	if taken > 0 {
		c.Notify(command.NotifyStream, "xtrim", 1)
	}
	var room [stream.IDText]byte
	var bound []byte
	if o.trim.Approx || err != nil {
		bound = exactBound(room[:0], s, o, edge)
	}
	switch {
	case o.trim.References == stream.OnlyAcknowledged:
		stageAdded(c, o, id)
		if taken > 0 {
			stageTrim(c, o, bound)
		}
	case bound != nil || o.auto || o.id.anySeq || o.refsArg != 0:
		stage(c, o, id, bound)
	}
	lost.propagate(c, s)
	if err != nil {
		return engine.StoreError(err)
	}
	c.Out.Bulk(id)
	return nil
}

// nextID returns the id of the entry to be added behind last.
func nextID(c *command.Ctx, o *addOptions, last stream.ID) (stream.ID, error) {
	if last == stream.MaxID {
		return last, errExhausted
	}
	id := o.id.ID
	switch {
	case o.auto:
		now := uint64(max(c.Now(), 0))
		if now > last.Ms {
			return stream.ID{Ms: now}, nil
		}
		id, _ = last.Next()
	case o.id.anySeq && id.Ms == last.Ms:
		if last.Seq == math.MaxUint64 {
			return last, errSmallID
		}
		id.Seq = last.Seq + 1
	}
	if !last.Less(id) {
		return last, errSmallID
	}
	return id, nil
}

// exactBound appends the bound that an approximate trim has come to, for a stream trimmed
// down to s, from whose entry edge on nothing was looked at: replicas may have other
// nodes.
func exactBound(dst []byte, s stream.Stream, o *addOptions, edge stream.ID) []byte {
	if o.trim.MaxLen >= 0 {
		return appendInt(dst, int64(s.Len()))
	}
	if o.trim.References != stream.OnlyAcknowledged && s.Len() > 0 {
		edge = s.First
	}
	return edge.Append(dst)
}

// prepare makes a trim of x ready; what groups lose by it is in lost afterwards.
func (o *addOptions) prepare(x *engine.Stream) (lost *lostRefs) {
	o.bound(x.StreamLimits())
	lost, o.trim.Lost = newLostRefs(o.trim.References)
	return lost
}

// stageAdded propagates an XADD without its options.
func stageAdded(c *command.Ctx, o *addOptions, id []byte) {
	args := append([][]byte{c.Args[0], c.Args[1], slices.Clone(id)}, c.Args[o.idArg+1:]...)
	c.Effect(c.Slot(1), args...)
}

// stageTrim propagates the trim of entries that no group needs (ACKED) by itself: a server
// that does not know the option then leaves it out, and has entries too many rather than
// too few. bound is that of an exact trim, nil: the request's.
func stageTrim(c *command.Ctx, o *addOptions, bound []byte) {
	word := wordMinID
	if o.trim.MaxLen >= 0 {
		word = wordMaxLen
	}
	if bound == nil {
		bound = c.Args[o.trimArg]
	}
	c.Effect(c.Slot(1), wordXTrim, c.Args[1], word, wordExact, slices.Clone(bound), wordAcked)
}

// stage propagates the request with id in the place of its id, if it has one, with the
// given bound of an exact trim unless that is nil, and without a word about references. A
// LIMIT may stay: who applies the request does not look at it.
func stage(c *command.Ctx, o *addOptions, id, bound []byte) {
	// Up to so many arguments nothing is allocated.
	var room [32][]byte
	if len(c.Args) > len(room) {
		stageLong(c, o, id, bound)
		return
	}
	copy(room[:], c.Args)
	if id != nil {
		room[o.idArg] = id
	}
	if bound != nil {
		room[o.trimArg] = bound
		if o.trim.Approx {
			room[o.trimArg-1] = wordExact
		}
	}
	n := len(c.Args)
	if o.refsArg != 0 {
		n--
		for i := o.refsArg; i < n; i++ {
			room[i] = room[i+1]
		}
	}
	c.Effect(c.Slot(1), room[:n]...)
}

func stageLong(c *command.Ctx, o *addOptions, id, bound []byte) {
	args := slices.Clone(c.Args)
	if id != nil {
		args[o.idArg] = slices.Clone(id)
	}
	if bound != nil {
		args[o.trimArg] = slices.Clone(bound)
		if o.trim.Approx {
			args[o.trimArg-1] = wordExact
		}
	}
	if o.refsArg != 0 {
		args = slices.Delete(args, o.refsArg, o.refsArg+1)
	}
	c.Effect(c.Slot(1), args...)
}

// slowTrim reports whether a trim is too long for a shard's mutex.
func slowTrim(c *command.Ctx, s stream.Stream, o *addOptions) bool {
	if c.Owner {
		return false
	}
	entries := s.Len()
	if o.trim.MaxLen >= 0 {
		entries -= int(min(o.trim.MaxLen, int64(entries)))
	}
	if o.trim.References == stream.KeepReferences {
		entries /= 16 // whole nodes go at once
	}
	return c.Slow(entries*(1+s.Groups()), 0)
}

func bytesOf(pairs [][]byte) (n int64) {
	for _, b := range pairs {
		n += int64(len(b))
	}
	return n
}

func xtrim(c *command.Ctx) error {
	o, err := parseAddOptions(c, false)
	if err != nil {
		return err
	}
	var x engine.Stream
	found, err := open(c, &x, 1)
	if err != nil {
		return err
	}
	if !found {
		c.Out.Int(0)
		return nil
	}
	if slowTrim(c, x.View(), &o) {
		return command.ErrSlow
	}
	s, lost := x.Edit(), o.prepare(&x)
	taken, edge, err := s.Trim(o.trim)
	if taken > 0 {
		c.Changed(taken)
		c.Notify(command.NotifyStream, "xtrim", 1)
		var text [stream.IDText]byte
		var bound []byte
		if o.trim.Approx || err != nil {
			bound = exactBound(text[:0], s, &o, edge)
		}
		switch {
		case o.trim.References == stream.OnlyAcknowledged:
			stageTrim(c, &o, bound)
		case bound != nil || o.refsArg != 0:
			stage(c, &o, nil, bound)
		}
	}
	lost.propagate(c, s)
	if err != nil {
		return engine.StoreError(err)
	}
	c.Out.Int(int64(taken))
	return nil
}
