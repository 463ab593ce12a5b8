package sorting

import (
	"bytes"
	"slices"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
)

var errScores = resp.NewError("ERR One or more scores can't be converted into double")

// run sorts: SORT key [BY pattern] [LIMIT start count] [GET pattern ...] [ASC | DESC]
// [ALPHA] [STORE key]. The reply is the elements, or what GET names for each, a null where
// that is not there; with STORE the length of the list that was stored.
func (h *handlers) run(c *command.Ctx, mayStore bool) error {
	o, err := h.parse(c, mayStore)
	if err != nil {
		return err
	}
	var s sorted
	if err := s.open(c); err != nil {
		return err
	}
	if o.asIs && s.typ == engine.TypeSet && o.store != 0 {
		// A set has no order; what is stored must be the same everywhere.
		o.asIs, o.alpha, o.by = false, true, nil
	}
	elems := s.all(o.asIs && o.desc)
	f := finder{c: c}
	if !o.asIs {
		if err := weigh(&o, &f, &s.mem, elems); err != nil {
			return err
		}
		slices.SortStableFunc(elems, func(a, b elem) int { return o.compare(&a, &b) })
	}
	start, end := o.window(len(elems))
	elems = elems[start:end]
	if o.store != 0 {
		return h.store(c, &o, &f, elems)
	}
	c.Out.Array(len(elems) * max(1, len(o.get)))
	for i := range elems {
		if len(o.get) == 0 {
			c.Out.Bulk(elems[i].text)
		}
		for j := range o.get {
			if val, ok := f.find(&o.get[j], elems[i].text); ok {
				c.Out.Bulk(val)
			} else {
				c.Out.Null()
			}
		}
	}
	return nil
}

// weigh finds what each element is sorted by. An element whose BY key is not there has the
// score 0.
func weigh(o *options, f *finder, mem *memory, elems []elem) error {
	if o.alpha && o.by == nil {
		return nil
	}
	bad := false
	for i := range elems {
		e := &elems[i]
		val := e.text
		if o.by != nil {
			var ok bool
			if val, ok = f.find(o.by, e.text); !ok {
				continue
			}
		}
		if o.alpha {
			e.by = mem.copy(val)
			continue
		}
		var ok bool
		if e.score, ok = parseDouble(val); !ok {
			bad = true
		}
	}
	if bad {
		return errScores
	}
	return nil
}

// compare orders two elements. Equal numbers are in the order of the elements.
func (o *options) compare(a, b *elem) (order int) {
	switch {
	case !o.alpha && a.score > b.score:
		order = 1
	case !o.alpha && a.score < b.score:
		order = -1
	case !o.alpha:
		order = bytes.Compare(a.text, b.text)
	case o.by == nil:
		order = o.collate(a.text, b.text)
	case a.by == nil || b.by == nil:
		switch {
		case b.by != nil:
			order = -1
		case a.by != nil:
			order = 1
		}
	default:
		order = o.collate(a.by, b.by)
	}
	if o.desc {
		return -order
	}
	return order
}

// collate compares texts. What is not stored is compared as C compares strings in its own
// locale, which end at a zero byte (Redis 7.2, sort.c, sortCompare).
func (o *options) collate(a, b []byte) int {
	if o.store == 0 {
		a, _, _ = bytes.Cut(a, zeroByte)
		b, _, _ = bytes.Cut(b, zeroByte)
	}
	return bytes.Compare(a, b)
}

var zeroByte = []byte{0}
