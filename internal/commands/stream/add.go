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
		if o.auto || o.id.anySeq {
			stage(c, &o, text, nil)
		}
		return nil
	}
	return trimAdded(c, &x, &o, text)
}

// trimAdded trims the stream to which the entry id was added, and replies.
func trimAdded(c *command.Ctx, x *engine.Stream, o *addOptions, id []byte) error {
	o.bound(x.StreamLimits())
	s := x.Edit()
	taken, edge, err := s.Trim(o.trim)
	if taken > 0 {
		c.Notify(command.NotifyStream, "xtrim", 1)
	}
	var room [stream.IDText]byte
	switch {
	case o.trim.Approx || err != nil:
		stage(c, o, id, exactBound(room[:0], s, o, edge))
	case o.auto || o.id.anySeq:
		stage(c, o, id, nil)
	}
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

// stage propagates the request with id in the place of its id, if it has one, and with the
// given bound of an exact trim unless that is nil. A LIMIT may stay: who applies the
// request does not look at it.
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
	c.Effect(c.Slot(1), room[:len(c.Args)]...)
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
	o.bound(x.StreamLimits())
	s := x.Edit()
	taken, edge, err := s.Trim(o.trim)
	if taken > 0 {
		c.Changed(taken)
		c.Notify(command.NotifyStream, "xtrim", 1)
		if o.trim.Approx || err != nil {
			var text [stream.IDText]byte
			stage(c, &o, nil, exactBound(text[:0], s, &o, edge))
		}
	}
	if err != nil {
		return engine.StoreError(err)
	}
	c.Out.Int(int64(taken))
	return nil
}
