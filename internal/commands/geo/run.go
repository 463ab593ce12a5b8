package geo

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/geo"
)

func georadius(c *command.Ctx) error   { return byRadius(c, mayStore) }
func georadiusRO(c *command.Ctx) error { return byRadius(c, 0) }

func byRadius(c *command.Ctx, k kind) (err error) {
	s := search{src: 1}
	if err = s.open(c); err != nil {
		return err
	}
	if s.centre, err = position(c, 2); err != nil {
		return err
	}
	if err = s.readRadius(c, 4); err != nil {
		return err
	}
	if err = s.options(c, 6, k); err != nil {
		return err
	}
	return s.run(c, "georadiusstore")
}

func georadiusbymember(c *command.Ctx) error   { return byMember(c, mayStore) }
func georadiusbymemberRO(c *command.Ctx) error { return byMember(c, 0) }

func byMember(c *command.Ctx, k kind) error {
	s := search{src: 1}
	if err := s.open(c); err != nil {
		return err
	}
	if s.found { // else nothing but the options is looked at
		if err := s.at(c.Args[2]); err != nil {
			return err
		}
		if err := s.readRadius(c, 3); err != nil {
			return err
		}
	}
	if err := s.options(c, 5, k); err != nil {
		return err
	}
	return s.run(c, "georadiusstore")
}

func geosearch(c *command.Ctx) error {
	s := search{src: 1}
	if err := s.open(c); err != nil {
		return err
	}
	if err := s.options(c, 2, searches); err != nil {
		return err
	}
	return s.run(c, "")
}

func geosearchstore(c *command.Ctx) error {
	s := search{src: 2, store: 1}
	if err := s.open(c); err != nil {
		return err
	}
	if err := s.options(c, 3, searches|alwaysStore); err != nil {
		return err
	}
	return s.run(c, "geosearchstore")
}

// hit is a position that was found.
type hit struct {
	member   []byte
	score    float64
	distance float64 // in units
	at       geo.Point
}

// run searches and replies, or stores what was found and replies with its number.
func (s *search) run(c *command.Ctx, event string) error {
	var hits []hit
	var shape geo.Shape
	var dst engine.ZSet
	if s.store != 0 {
		dst.Value.Open(&c.DB, c.Slot(s.store), c.Args[s.store])
	}
	if s.found {
		shape = s.shape()
		ranges, n := shape.Cover()
		if c.Slow(s.candidates(ranges[:n]), 0) {
			return command.ErrSlow
		}
		hits = s.collect(shape, ranges[:n])
	}
	c.Count(s.found)
	if s.order != unordered {
		slices.SortStableFunc(hits, func(a, b hit) int {
			if s.order == descending {
				a, b = b, a
			}
			return cmp.Compare(a.distance, b.distance)
		})
	}
	if s.count > 0 && len(hits) > s.count {
		hits = hits[:s.count]
	}
	if s.store != 0 {
		return s.keep(c, &dst, shape, hits, event)
	}
	s.reply(c, hits)
	return nil
}

func scoresOf(r geo.Scores) engine.ScoreRange {
	return engine.ScoreRange{Min: float64(r.From), Max: float64(r.To), ExcludeMax: true}
}

// candidates returns how many members have scores in the ranges.
func (s *search) candidates(ranges []geo.Scores) (n int) {
	for _, r := range ranges {
		scores := scoresOf(r)
		from, to := s.z.ScoreRanks(&scores)
		n += to - from
	}
	return n
}

// collect returns the members in the shape, all of them or, with ANY, the first of them.
func (s *search) collect(shape geo.Shape, ranges []geo.Scores) (hits []hit) {
	for _, r := range ranges {
		scores := scoresOf(r)
		from, to := s.z.ScoreRanks(&scores)
		for it := s.z.At(from); from < to; from++ {
			h := hit{score: it.Score()}
			h.at = geo.Decode(h.score)
			metres, in := shape.Distance(h.at)
			if in {
				h.distance = metres / float64(s.unit)
				var lasting bool
				if h.member, lasting = it.InPlace(); !lasting {
					h.member = bytes.Clone(h.member)
				}
				hits = append(hits, h)
				if s.any && len(hits) == s.count {
					return hits
				}
			}
			it.Next()
		}
	}
	return hits
}

func (s *search) reply(c *command.Ctx, hits []hit) {
	extra := 0
	for _, with := range []bool{s.withDist, s.withHash, s.withCoord} {
		if with {
			extra++
		}
	}
	c.Out.Array(len(hits))
	for i := range hits {
		h := &hits[i]
		if extra > 0 {
			c.Out.Array(1 + extra)
		}
		c.Out.Bulk(h.member)
		if s.withDist {
			replyDistance(c.Out, h.distance)
		}
		if s.withHash {
			c.Out.Int(int64(h.score))
		}
		if s.withCoord {
			replyPosition(c.Out, h.at)
		}
	}
}

// keep stores what was found as a sorted set.
func (s *search) keep(c *command.Ctx, dst *engine.ZSet, shape geo.Shape, hits []hit, event string) error {
	entries := make([]engine.ZEntry, len(hits))
	for i, h := range hits {
		entries[i] = engine.ZEntry{Member: h.member, Score: h.score}
		if s.storeDist {
			entries[i].Score = geo.PreciseDistance(shape.Middle(), h.at) / float64(s.unit)
		}
	}
	slices.SortFunc(entries, func(a, b engine.ZEntry) int {
		return cmp.Or(cmp.Compare(a.Score, b.Score), bytes.Compare(a.Member, b.Member))
	})
	had := dst.Exists()
	if err := dst.Store(entries); err != nil {
		return err
	}
	switch {
	case len(entries) > 0:
		c.Changed(len(entries))
		c.Notify(command.NotifyZSet, event, s.store)
	case had:
		c.Changed(1)
		c.Notify(command.NotifyGeneric, "del", s.store)
	}
	c.Out.Int(int64(len(entries)))
	return nil
}
