package arena

import "sync/atomic"

// Account sums the used bytes of several arenas, so that many readers may ask for the
// sum at the price of one load. An arena tells it of a change once its own changes have
// added up to more than its slack: the sum is wrong by at most that much an arena.
type Account struct {
	sum atomic.Int64
	_   [56]byte // what is read with the sum does not share its cache line
}

// Sum returns the bytes as the arenas have told them, and what Add has added.
func (c *Account) Sum() int64 { return c.sum.Load() }

// Add counts n bytes that lie elsewhere; n may be negative.
func (c *Account) Add(n int64) { c.sum.Add(n) }

// Join makes a tell c of its used bytes, at every change until SetSlack says otherwise.
func (a *Arena) Join(c *Account) {
	a.account = c
	a.SetSlack(0)
}

// SetSlack tells the account all that it has not heard yet, and from now on no change
// before they have added up to more than slack bytes.
func (a *Arena) SetSlack(slack int64) {
	a.slack = slack
	a.tell()
}

// add changes a counter that the owner alone writes and others read: cheaper than Add.
func add(c *atomic.Int64, n int64) { c.Store(c.Load() + n) }

// usedBy counts n bytes, which may be negative.
func (a *Arena) usedBy(n int64) {
	add(&a.used, n)
	used := a.used.Load()
	if d := used - a.told; d > a.slack || d < -a.slack {
		a.tell()
	}
}

func (a *Arena) tell() {
	used := a.used.Load()
	if a.account != nil && used != a.told {
		a.account.sum.Add(used - a.told)
	}
	a.told = used
}
