package transfer

import (
	"context"
	"fmt"
	"strconv"
	"time"

	hash "github.com/redwingdb/redwing/internal/slots"
)

// Unshifter puts shifted expiries right. It is used by one goroutine.
type Unshifter struct {
	ctx   context.Context
	o     TargetOptions
	conns map[string]*Conn
	// owners are those that All has found all keys with.
	owners []Owner
	logs   []*keyLog // hashes with shifted fields
	// Put is how many expiries were put right, Left are the keys whose shifted expiry All has
	// met and left, as too near; LeftFields the hashes with such fields.
	Put              int64
	Left, LeftFields []string
}

// NewUnshifter returns an Unshifter of a cluster.
func NewUnshifter(ctx context.Context, o TargetOptions) *Unshifter {
	return &Unshifter{ctx: ctx, o: o, conns: map[string]*Conn{}}
}

// Take has All see to the fields of hashes that e has remembered so far. REQUIRES: e may be
// changed.
func (u *Unshifter) Take(e *Expiries) {
	if l := e.takeFields(); l != nil {
		u.logs = append(u.logs, l)
	}
}

// Close closes the connections, and forgets what was taken.
func (u *Unshifter) Close() {
	u.disconnect()
	for _, l := range u.logs {
		l.close()
	}
	u.logs = nil
}

func (u *Unshifter) disconnect() {
	for _, c := range u.conns {
		c.Close()
	}
	clear(u.conns)
}

func (u *Unshifter) conn(addr string) (*Conn, error) {
	if c := u.conns[addr]; c != nil {
		return c, nil
	}
	ep := u.o.Endpoint
	ep.Addr = addr
	c, err := Dial(u.ctx, ep)
	if err == nil {
		u.conns[addr] = c
	}
	return c, err
}

const (
	unshiftBatch = 2000
	// passTries bounds how often all keys are gone through because slots moved meanwhile.
	passTries = 20
)

// All goes through all keys of the cluster and puts expiries right that are at or behind
// exactFrom. still runs a function while nothing else is written to the cluster; it is
// called for each batch of keys.
func (u *Unshifter) All(exactFrom int64, still func(func() error) error) error {
	u.owners = nil
	var last error
	for range passTries {
		before, err := u.o.Layout(u.ctx)
		if err != nil {
			return err
		}
		if last = u.pass(before, exactFrom, still); last == nil {
			last = u.fieldsPass(exactFrom, still)
		}
		if u.ctx.Err() != nil {
			return u.ctx.Err()
		}
		after, err := u.o.Layout(u.ctx)
		if err != nil {
			return err
		}
		if last == nil && sameOwners(before, after) {
			u.owners = after
			return nil
		}
		u.disconnect() // connections may be what failed
		select {
		case <-time.After(layoutPause):
		case <-u.ctx.Done():
			return u.ctx.Err()
		}
	}
	return fmt.Errorf("expiries are not put right: %w", orMoved(last))
}

// Changed reports whether slots have moved, or primaries were replaced, since All: what it
// has put right may have been lost.
func (u *Unshifter) Changed() (bool, error) {
	now, err := u.o.Layout(u.ctx)
	return !sameOwners(u.owners, now), err
}

func orMoved(err error) error {
	if err == nil {
		return fmt.Errorf("%w: slots keep moving", ErrStalled)
	}
	return err
}

func sameOwners(a, b []Owner) bool {
	owners := func(list []Owner) map[string]hash.Set {
		m := map[string]hash.Set{}
		for i := range list {
			m[list[i].Addr] = list[i].Slots
		}
		return m
	}
	x, y := owners(a), owners(b)
	for addr, set := range x {
		if y[addr] != set {
			return false
		}
	}
	return len(x) == len(y)
}

func (u *Unshifter) pass(owners []Owner, exactFrom int64, still func(func() error) error) error {
	for i := range owners {
		c, err := u.conn(owners[i].Addr)
		if err != nil {
			return err
		}
		for cursor := "0"; ; {
			page, err := c.Do("SCAN", cursor, "COUNT", strconv.Itoa(unshiftBatch))
			if err != nil {
				return err
			}
			if len(page.Elems) != 2 {
				return fmt.Errorf("%s: SCAN: %w", c.Addr(), errReply)
			}
			keys := make([]string, len(page.Elems[1].Elems))
			for k, e := range page.Elems[1].Elems {
				keys[k] = string(e.Text)
			}
			if err := still(func() error { return u.put(c, keys, exactFrom) }); err != nil {
				return err
			}
			if cursor = page.Elems[0].String(); cursor == "0" {
				break
			}
		}
	}
	return nil
}

// Keys puts the expiries of keys right, whatever they are. Nothing else may be written.
func (u *Unshifter) Keys(keys []string) error {
	return u.again(func() error { return u.tryKeys(keys, func(c *Conn, some []string) error { return u.put(c, some, 0) }) })
}

// Fields is Keys for the fields of hashes.
func (u *Unshifter) Fields(keys []string) error {
	return u.again(func() error {
		return u.tryKeys(keys, func(c *Conn, some []string) error { return u.putFields(c, some, 0) })
	})
}

// again calls try until it succeeds, or has often failed.
func (u *Unshifter) again(try func() error) error {
	var last error
	for range passTries {
		if last = try(); last == nil || u.ctx.Err() != nil {
			return last
		}
		u.disconnect()
		select {
		case <-time.After(layoutPause):
		case <-u.ctx.Done():
			return u.ctx.Err()
		}
	}
	return last
}

// tryKeys calls put for the keys of each owner.
func (u *Unshifter) tryKeys(keys []string, put func(c *Conn, keys []string) error) error {
	owners, err := u.o.Layout(u.ctx)
	if err != nil {
		return err
	}
	var at [hash.Count]int
	for i := range owners {
		for slot := range owners[i].Slots.Each() {
			at[slot] = i
		}
	}
	byOwner := make([][]string, len(owners))
	for _, k := range keys {
		i := at[hash.Of([]byte(k))]
		byOwner[i] = append(byOwner[i], k)
	}
	for i, list := range byOwner {
		if len(list) == 0 {
			continue
		}
		c, err := u.conn(owners[i].Addr)
		if err != nil {
			return err
		}
		for len(list) > 0 {
			n := min(unshiftBatch, len(list))
			if err := put(c, list[:n]); err != nil {
				return err
			}
			list = list[n:]
		}
	}
	return nil
}

// put takes the shift off the keys that have it, if what is left is at or behind exactFrom.
func (u *Unshifter) put(c *Conn, keys []string, exactFrom int64) error {
	from := shiftedFrom(time.Now().UnixMilli())
	put := 0
	times, err := c.pipeline(len(keys), func(i int) []string { return []string{"PEXPIRETIME", keys[i]} })
	if err != nil {
		return err
	}
	var requests [][]string
	for i, r := range times {
		switch {
		case r.Int < from:
		case r.Int-shiftMillis < exactFrom:
			u.Left = append(u.Left, keys[i])
		default:
			requests = append(requests, []string{"PEXPIREAT", keys[i], strconv.FormatInt(r.Int-shiftMillis, 10)})
			put++
		}
	}
	if _, err := c.pipeline(len(requests), func(i int) []string { return requests[i] }); err != nil {
		return err
	}
	u.Put += int64(put)
	return nil
}
