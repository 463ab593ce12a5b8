package command

import (
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// Aside has make build a value at key of another, hidden database, empty there, and then
// makes that the value of key in this one, in one step, replacing what it has and its
// expiry. After an error of make nothing has changed. Where a slot move stages its stream
// the database is the hidden one itself: there the key goes first.
func (c *Ctx) Aside(slot slots.Slot, key []byte, make func(a *engine.Access) error) error {
	hidden := c.Keyspace.StagingDB()
	a := c.Keyspace.Access(hidden, c.Now(), engine.ModeApply)
	if c.DB.DB() == hidden {
		a.Delete(slot, key)
		return make(&a)
	}
	err := make(&a)
	if err == nil {
		a.SetNews(c.DB.News())
		err = a.Move(slot, key, c.DB.DB())
	}
	if err != nil {
		a.Delete(slot, key)
	}
	return err
}
