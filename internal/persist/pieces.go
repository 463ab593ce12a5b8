package persist

import (
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist/rdb"
)

// Pieces cuts values into values of the same kind that hold a part each, for those who
// cannot take a big one at once: a Loader with Continue puts them together again. Each is
// the body of an RDB value at rdb.VersionLatest.
type Pieces struct {
	// Bytes is when a piece is full; one element may pass it.
	Bytes int
	// Emit takes a piece. first is set for the first of its value.
	Emit func(k rdb.Kind, first bool, body []byte) error

	e     *engine.Entry
	kind  rdb.Kind
	near  int64
	first bool
	n     uint64
	elems *rdb.Writer // of the piece being made
	body  *rdb.Writer
}

// Cut gives the value of e in pieces.
func (p *Pieces) Cut(e *engine.Entry) error {
	p.e, p.kind, p.first, p.n = e, KindOf(e, rdb.VersionLatest), true, 0
	if p.elems == nil {
		p.elems, p.body = rdb.NewBody(), rdb.NewBody()
	}
	p.elems.ResetBody()
	defer p.trim()
	switch p.kind {
	case rdb.KindListQuicklist2, rdb.KindSet, rdb.KindHash, rdb.KindHashTTL, rdb.KindZSet2:
		return p.elements()
	case rdb.KindStream3:
		return p.stream()
	}
	p.body.ResetBody()
	if err := WriteValue(p.body, e, p.kind); err != nil {
		return err
	}
	return p.Emit(p.kind, true, p.body.Body())
}

// trim lets go of memory that one large element took.
func (p *Pieces) trim() {
	const most = 1 << 20
	if cap(p.elems.Body()) > most || cap(p.body.Body()) > most {
		p.elems, p.body = nil, nil
	}
}

// elements cuts a collection of one sort of elements.
func (p *Pieces) elements() (err error) {
	e := p.e
	switch p.kind {
	case rdb.KindListQuicklist2:
		err = e.EachNode(func(node []byte, plain bool) error {
			writeNode(p.elems, node, plain)
			return p.added()
		})
	case rdb.KindSet:
		err = e.EachMember(func(member []byte) error {
			p.elems.Bytes(member)
			return p.added()
		})
	case rdb.KindZSet2:
		err = e.EachScored(func(member []byte, score float64) error {
			p.elems.Scored(member, score)
			return p.added()
		})
	default:
		p.near = e.NearestExpiry()
		err = e.EachField(func(field, value []byte, expireAt int64) error {
			if p.kind == rdb.KindHashTTL {
				p.elems.ExpiringField(field, value, expireAt, p.near)
			} else {
				p.elems.Bytes(field)
				p.elems.Bytes(value)
			}
			return p.added()
		})
	}
	if err != nil {
		return err
	}
	return p.emit()
}

// added counts an element and gives the piece on if it is full.
func (p *Pieces) added() error {
	if p.n++; len(p.elems.Body()) < p.Bytes {
		return nil
	}
	return p.emit()
}

// emit gives on what was gathered, if anything.
func (p *Pieces) emit() error {
	if p.n == 0 {
		return nil
	}
	p.body.ResetBody()
	if p.kind == rdb.KindHashTTL {
		p.body.Nearest(p.near)
	}
	p.body.Count(p.n)
	return p.send()
}

// send gives on the piece that begins with what is in body and ends with the elements.
func (p *Pieces) send() error {
	p.body.Append(p.elems.Body())
	p.elems.ResetBody()
	first := p.first
	p.n, p.first = 0, false
	return p.Emit(p.kind, first, p.body.Body())
}
