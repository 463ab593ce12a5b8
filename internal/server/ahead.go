package server

import (
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

const (
	// aheadMax is how many requests are parsed before the first of them runs.
	aheadMax = engine.PrefetchMax
	// aheadMin is how many it takes to be worth a look at their keys.
	aheadMin = 4
	// keepAhead bounds the arguments whose memory is kept between rounds.
	keepAhead = 1024
)

// ahead are requests that are parsed and have not run. They are parsed a few at a time
// so that the memory behind the keys of a pipeline is fetched together. Their bytes are
// still in the input: who stops in the middle has lost nothing.
type ahead struct {
	reqs [aheadMax]parsed
	n, i int // reqs[i:n] are left
	args [][]byte
	keys [aheadMax][]byte
	in   [aheadMax]slots.Slot // those of keys
	err  *resp.Error          // what follows them is no request
}

// parsed is a request and the bytes it takes, with those of empty lines behind it.
type parsed struct {
	args [][]byte
	n    int
	// slot is that of args[1], if that was looked at.
	slot   slots.Slot
	hashed bool
}

// next returns the next parsed request.
func (a *ahead) next() (p parsed, ok bool) {
	if a.i == a.n {
		return p, false
	}
	p = a.reqs[a.i]
	a.i++
	return p, true
}

// parse fills s.ahead, which is empty. It returns false if no request is complete.
func (s *Session) parse() (more bool) {
	a := &s.ahead
	if a.err != nil {
		s.srv.stats.protocolErrors.Add(1)
		s.out.w.Error(a.err)
		s.ending = true
		return false
	}
	if a.n, a.i = 0, 0; cap(a.args) > keepAhead {
		a.args = nil
	}
	a.args = a.args[:0]
	limit := aheadMax
	if !s.authed {
		limit = 1 // the next request may have other limits
	}
	for at := s.in.r; a.n < limit; {
		args, n, err := s.parser.Next(s.in.buf[at:s.in.w])
		if err != nil {
			a.err = err
			return true
		}
		if n == 0 {
			break
		}
		at += n
		switch {
		case len(args) > 0:
			from := len(a.args)
			a.args = append(a.args, args...)
			a.reqs[a.n] = parsed{args: a.args[from:len(a.args):len(a.args)], n: n}
			a.n++
		case a.n > 0:
			a.reqs[a.n-1].n += n
		default:
			s.in.r = at
		}
	}
	if a.n >= aheadMin {
		s.fetchAhead()
	}
	return a.n > 0
}

// fetchAhead has the memory fetched behind the first arguments of the requests ahead: they
// are the keys of most commands, and a wrong guess costs little.
func (s *Session) fetchAhead() {
	a := &s.ahead
	keys := 0
	for i := range a.reqs[:a.n] {
		r := &a.reqs[i]
		if len(r.args) > 1 {
			r.slot, r.hashed = slots.Of(r.args[1]), true
			a.keys[keys], a.in[keys] = r.args[1], r.slot
			keys++
		}
	}
	s.srv.o.Keyspace.Prefetch(s.db, a.in[:keys], a.keys[:keys])
}
