package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	hash "github.com/redwingdb/redwing/internal/slots"
)

// Comparer compares keys of a source with those of a cluster by reading both, without
// DUMP, so that what copied them does not vouch for itself. It is used by one goroutine.
type Comparer struct {
	ctx    context.Context
	o      TargetOptions
	src    *Conn
	owners [hash.Count]string
	conns  map[string]*Conn
	// fields: the source knows expiries of fields (redis 7.4).
	fields bool
}

// NewComparer connects to the source, in database db, and reads the layout of the target.
func NewComparer(ctx context.Context, from Endpoint, db int, o TargetOptions) (*Comparer, error) {
	c := &Comparer{ctx: ctx, o: o, conns: map[string]*Conn{}}
	if err := c.layout(); err != nil {
		return nil, err
	}
	var err error
	if c.src, err = Dial(ctx, from); err != nil {
		return nil, err
	}
	if db != 0 {
		if _, err := c.src.Do("SELECT", strconv.Itoa(db)); err != nil {
			c.Close()
			return nil, err
		}
	}
	known, err := c.src.Do("COMMAND", "INFO", "HPEXPIRETIME")
	if err != nil {
		c.Close()
		return nil, err
	}
	c.fields = len(known.Elems) == 1 && !known.Elems[0].Null
	return c, nil
}

// layout reads who owns what, and forgets all connections to the cluster.
func (c *Comparer) layout() error {
	for _, x := range c.conns {
		x.Close()
	}
	clear(c.conns)
	owners, err := c.o.Layout(c.ctx)
	for i := range owners {
		for slot := range owners[i].Slots.Each() {
			c.owners[slot] = owners[i].Addr
		}
	}
	return err
}

// Close closes the connections.
func (c *Comparer) Close() {
	c.src.Close()
	for _, x := range c.conns {
		x.Close()
	}
}

// Random returns a random key of the source; ok is false if it has none.
func (c *Comparer) Random() (key string, ok bool, err error) {
	r, err := c.src.Do("RANDOMKEY")
	return string(r.Text), !r.Null, err
}

// owner returns the connection to the owner of a key.
func (c *Comparer) owner(key string) (*Conn, error) {
	addr := c.owners[hash.Of([]byte(key))]
	if x := c.conns[addr]; x != nil {
		return x, nil
	}
	ep := c.o.Endpoint
	ep.Addr = addr
	x, err := Dial(c.ctx, ep)
	if err != nil {
		return nil, err
	}
	c.conns[addr] = x
	return x, nil
}

// Bounds of what is read of one key.
const (
	compareAll  = 2000    // collections up to so many elements are compared whole
	comparePart = 500     // of larger ones so many at either end, or of a page
	compareText = 1 << 20 // of a longer string so much at either end
	// ttlSlack is how far two readings of a time to live may be apart, in ms.
	ttlSlack = 2000
)

// Key compares one key; diff says in what it differs, "" in nothing. While the cluster does
// not answer, as during a failover, it is asked again.
func (c *Comparer) Key(key string) (diff string, err error) {
	deadline := time.Now().Add(c.o.Endpoint.timeout())
	for {
		again, diff, err := c.tryKey(key)
		if !again || c.ctx.Err() != nil || time.Now().After(deadline) {
			return diff, err
		}
		select {
		case <-time.After(layoutPause):
		case <-c.ctx.Done():
			return "", c.ctx.Err()
		}
		_ = c.layout() // what is wrong shows at the next try
	}
}

// tryKey is Key once; again says that the cluster may answer later.
func (c *Comparer) tryKey(key string) (again bool, diff string, err error) {
	dst, err := c.owner(key)
	if err != nil {
		return true, "", err
	}
	p := pair{src: c.src, dst: dst, key: key, fields: c.fields}
	p.compare()
	return p.again, p.diff, p.err
}

func (p *pair) compare() {
	key := p.key
	kind := p.same("TYPE", key)
	if p.done() {
		return
	}
	p.ttl()
	switch kind.String() {
	case "none":
	case "string":
		p.text()
	case "list":
		p.ends(p.same("LLEN", key), func(from, to string) { p.same("LRANGE", key, from, to) })
	case "zset":
		p.ends(p.same("ZCARD", key), func(from, to string) { p.scores("ZRANGE", key, from, to, "WITHSCORES") })
	case "set":
		p.members("SCARD", "SMEMBERS", "SSCAN", 1, func(e []Reply) { p.equal("SISMEMBER", e[0], Reply{Kind: ':', Int: 1}) })
	case "hash":
		p.members("HLEN", "HGETALL", "HSCAN", 2, func(e []Reply) { p.equal("HGET", e[0], e[1]) })
		p.fieldTimes()
	case "stream":
		p.stream()
	default:
		p.err = fmt.Errorf("key %.64q is of type %s", key, kind)
	}
}

// pair asks both sides and keeps the first difference.
type pair struct {
	src, dst *Conn
	key      string
	fields   bool // their expiries are compared
	diff     string
	err      error
	again    bool // err is one of the cluster, and may pass
}

// ask asks the cluster.
func (p *pair) ask(args ...string) (Reply, error) {
	r, err := p.dst.Do(args...)
	var refusal *ReplyError
	if err != nil {
		p.again = !errors.As(err, &refusal) || classify([]byte(refusal.Text)) == elsewhere || classify([]byte(refusal.Text)) == down
	}
	return r, err
}

func (p *pair) done() bool { return p.err != nil || p.diff != "" }

// both asks both sides the same.
func (p *pair) both(args []string) (a, b Reply) {
	if p.done() {
		return a, b
	}
	if a, p.err = p.src.Do(args...); p.err == nil {
		b, p.err = p.ask(args...)
	}
	return a, b
}

// same asks both sides and returns the answer that they must agree in.
func (p *pair) same(args ...string) Reply {
	a, b := p.both(args)
	if !p.done() && !same(a, b) {
		p.differ(args[0], a, b)
	}
	return a
}

func (p *pair) differ(what string, a, b Reply) {
	p.diff = fmt.Sprintf("%s: %s at the source, %s in the cluster", what, brief(a), brief(b))
}

func brief(r Reply) string {
	if r.Kind == '*' {
		return fmt.Sprintf("%d elements", len(r.Elems))
	}
	return fmt.Sprintf("%.40q", r.String())
}

func same(a, b Reply) bool {
	return a.Kind == b.Kind && a.Null == b.Null && a.String() == b.String() && slices.EqualFunc(a.Elems, b.Elems, same)
}

func (p *pair) ttl() {
	a, b := p.both([]string{"PTTL", p.key})
	if p.done() {
		return
	}
	if (a.Int < 0 || b.Int < 0) && a.Int != b.Int || a.Int-b.Int > ttlSlack || b.Int-a.Int > ttlSlack {
		p.differ("PTTL", a, b)
	}
}

func (p *pair) text() {
	n := p.same("STRLEN", p.key)
	if n.Int <= compareText {
		p.same("GET", p.key)
		return
	}
	p.same("GETRANGE", p.key, "0", strconv.Itoa(compareText))
	p.same("GETRANGE", p.key, strconv.Itoa(-compareText), "-1")
}

// ends compares a sequence of n elements: all of it, or both ends.
func (p *pair) ends(n Reply, part func(from, to string)) {
	if n.Int <= compareAll {
		part("0", "-1")
		return
	}
	part("0", strconv.Itoa(comparePart-1))
	part(strconv.Itoa(-comparePart), "-1")
}

// scores compares members with their scores, which servers may write differently.
func (p *pair) scores(args ...string) {
	a, b := p.both(args)
	if p.done() {
		return
	}
	if len(a.Elems) != len(b.Elems) {
		p.differ(args[0], a, b)
		return
	}
	for i := range a.Elems {
		x, y := a.Elems[i].String(), b.Elems[i].String()
		if x == y {
			continue
		}
		fx, errX := strconv.ParseFloat(x, 64)
		fy, errY := strconv.ParseFloat(y, 64)
		if i%2 == 0 || errX != nil || errY != nil || fx != fy {
			p.differ(args[0], a.Elems[i], b.Elems[i])
			return
		}
	}
}

// members compares what has no order: all of it, or a page of it element by element, each
// being step replies long.
func (p *pair) members(count, all, scan string, step int, one func(e []Reply)) {
	var n Reply
	if count == "HLEN" && p.fields {
		n, p.err = p.src.Do(count, p.key) // it counts fields that have expired, for a while
	} else {
		n = p.same(count, p.key)
	}
	if p.done() {
		return
	}
	if n.Int <= compareAll {
		a, b := p.both([]string{all, p.key})
		if !p.done() && !slices.Equal(sorted(a, step), sorted(b, step)) {
			p.differ(all, a, b)
		}
		return
	}
	page, err := p.src.Do(scan, p.key, "0", "COUNT", strconv.Itoa(comparePart))
	if p.err = err; err != nil || len(page.Elems) != 2 {
		return
	}
	for e := page.Elems[1].Elems; len(e) >= step && !p.done(); e = e[step:] {
		one(e)
	}
}

// sorted returns the elements of a reply, each of step replies, as texts in order.
func sorted(r Reply, step int) []string {
	var out []string
	for e := r.Elems; len(e) >= step; e = e[step:] {
		text := ""
		for _, x := range e[:step] {
			text += strconv.Quote(x.String())
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

// fieldTimes compares when fields of a hash expire: of all, or of a page. A field that one
// side has no more has just expired.
func (p *pair) fieldTimes() {
	if p.done() || !p.fields {
		return
	}
	page, err := p.src.Do("HSCAN", p.key, "0", "COUNT", strconv.Itoa(comparePart))
	if p.err = err; err != nil || len(page.Elems) != 2 || len(page.Elems[1].Elems) < 2 {
		return
	}
	e := page.Elems[1].Elems
	args := []string{"HPEXPIRETIME", p.key, "FIELDS", strconv.Itoa(len(e) / 2)}
	for ; len(e) >= 2; e = e[2:] {
		args = append(args, e[0].String())
	}
	a, b := p.both(args)
	for i := range a.Elems {
		const noField = -2
		if i < len(b.Elems) && a.Elems[i].Int != noField && b.Elems[i].Int != noField && a.Elems[i].Int != b.Elems[i].Int {
			p.differ("HPEXPIRETIME "+args[4+i], a.Elems[i], b.Elems[i])
			return
		}
	}
}

// equal asks the cluster for an element and compares the answer.
func (p *pair) equal(command string, element, want Reply) {
	got, err := p.ask(command, p.key, element.String())
	if p.err = err; err == nil && !same(got, want) {
		p.differ(command, want, got)
	}
}

func (p *pair) stream() {
	if n := p.same("XLEN", p.key); n.Int <= compareAll {
		p.same("XRANGE", p.key, "-", "+")
	} else {
		p.same("XRANGE", p.key, "-", "+", "COUNT", strconv.Itoa(comparePart))
		p.same("XREVRANGE", p.key, "+", "-", "COUNT", strconv.Itoa(comparePart))
	}
	a, b := p.both([]string{"XINFO", "GROUPS", p.key})
	if !p.done() && !slices.Equal(groups(a), groups(b)) {
		p.differ("XINFO GROUPS", a, b)
	}
}

// groups returns of each consumer group what every version says of it.
func groups(r Reply) (out []string) {
	for _, g := range r.Elems {
		text := ""
		for i := 0; i+1 < len(g.Elems); i += 2 {
			switch name := g.Elems[i].String(); name {
			case "name", "pending", "last-delivered-id":
				text += name + " " + g.Elems[i+1].String() + " "
			}
		}
		out = append(out, text)
	}
	return out
}
