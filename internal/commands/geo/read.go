package geo

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/geo"
	"github.com/redwingdb/redwing/internal/resp"
)

func geodist(c *command.Ctx) error {
	unit := geo.Metre
	switch {
	case len(c.Args) > 5:
		return resp.ErrSyntax
	case len(c.Args) == 5:
		var err error
		if unit, err = parseUnit(c.Args[4]); err != nil {
			return err
		}
	}
	var z engine.ZSet
	if _, err := openRead(c, &z, 1); err != nil {
		return err
	}
	a, ok := z.Score(c.Args[2])
	b, also := z.Score(c.Args[3])
	if !ok || !also {
		c.Out.Null()
		return nil
	}
	replyDistance(c.Out, geo.Distance(geo.Decode(a), geo.Decode(b))/float64(unit))
	return nil
}

func geohash(c *command.Ctx) error {
	return eachMember(c, (*resp.Writer).Null, func(out *resp.Writer, score float64) {
		var text [11]byte
		out.Bulk(geo.AppendHash(text[:0], score))
	})
}

func geopos(c *command.Ctx) error {
	return eachMember(c, (*resp.Writer).NullArray, func(out *resp.Writer, score float64) {
		replyPosition(out, geo.Decode(score))
	})
}

// eachMember replies for each member of a request with what some makes of its score, or
// with none.
func eachMember(c *command.Ctx, none func(*resp.Writer), some func(*resp.Writer, float64)) error {
	if c.Slow(len(c.Args), 0) {
		return command.ErrSlow
	}
	var z engine.ZSet
	if _, err := openRead(c, &z, 1); err != nil {
		return err
	}
	c.Out.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		if score, ok := z.Score(member); ok {
			some(c.Out, score)
		} else {
			none(c.Out)
		}
	}
	return nil
}
