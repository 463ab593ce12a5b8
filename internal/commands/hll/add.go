package hll

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine/hll"
)

func pfadd(c *command.Ctx) error {
	bytes := 0
	for _, elem := range c.Args[2:] {
		bytes += len(elem)
	}
	if c.Slow(len(c.Args)-2, bytes) {
		return command.ErrSlow
	}
	var v edited
	if err := v.open(c, 1); err != nil {
		return err
	}
	updated := 0
	switch {
	case v.b == nil:
		if err := v.create(); err != nil {
			return refused(err)
		}
		updated++
	case len(c.Args) > 3: // no element may fail once one has changed something
		if err := hll.Validate(v.b); err != nil {
			return refused(err)
		}
	}
	for i, elem := range c.Args[2:] {
		raised, err := v.raise(hll.Observe(elem))
		if err != nil {
			if updated > 0 { // what is added stays, so it must be propagated
				hll.Invalidate(v.b)
				c.Changed(updated)
				c.Notify(command.NotifyString, "pfadd", 1)
				c.Effect(c.Slot(1), c.Args[:2+i]...)
			}
			return refused(err)
		}
		if raised {
			updated++
		}
	}
	if updated == 0 {
		c.Out.Int(0)
		return nil
	}
	hll.Invalidate(v.b)
	c.Changed(updated)
	c.Notify(command.NotifyString, "pfadd", 1)
	c.Out.Int(1)
	return nil
}

// pfcount keeps the count of one key within its value, which is propagated like any
// change; a replica counts anew until that arrives.
func pfcount(c *command.Ctx) error {
	if c.Slow(0, (len(c.Args)-1)*hll.DenseBytes) {
		return command.ErrSlow
	}
	if len(c.Args) > 2 {
		return countUnion(c)
	}
	r, found := c.Read(1)
	if !found {
		c.Out.Int(0)
		return nil
	}
	b, err := value(r)
	if err != nil {
		return err
	}
	n, ok := hll.Cached(b)
	if !ok {
		if n, err = hll.Count(b); err != nil {
			return refused(err)
		}
		if err := keepCount(c, n); err != nil {
			return refused(err)
		}
	}
	c.Out.Int(int64(n))
	return nil
}

func keepCount(c *command.Ctx, n uint64) error {
	if !c.DB.Writable() {
		return nil
	}
	var v edited
	if err := v.open(c, 1); err != nil {
		return err
	}
	if err := v.touch(); err != nil {
		return err
	}
	hll.SetCached(v.b, n)
	c.Changed(1)
	return nil
}

func countUnion(c *command.Ctx) error {
	var registers [hll.Registers]uint8
	for i := 1; i < len(c.Args); i++ {
		if _, err := mergeKey(c, i, &registers); err != nil {
			return err
		}
	}
	c.Out.Int(int64(hll.CountRegisters(&registers)))
	return nil
}

// mergeKey raises registers to those of the key at argument i, if there is one, and
// reports whether they were dense.
func mergeKey(c *command.Ctx, i int, registers *[hll.Registers]uint8) (dense bool, err error) {
	r, found := c.Read(i)
	if !found {
		return false, nil
	}
	b, err := value(r)
	if err != nil {
		return false, err
	}
	return hll.Dense(b), refused(hll.Merge(registers, b))
}

// pfmerge makes the target dense if any of the values is, itself among them; else
// register after register is added to it, and it may stay sparse.
func pfmerge(c *command.Ctx) error {
	if c.Slow(0, (len(c.Args)-1)*hll.DenseBytes) {
		return command.ErrSlow
	}
	var registers [hll.Registers]uint8
	anyDense := false
	for i := 1; i < len(c.Args); i++ {
		dense, err := mergeKey(c, i, &registers)
		if err != nil {
			return err
		}
		anyDense = anyDense || dense
	}
	var v edited
	err := v.open(c, 1)
	if err != nil {
		return err
	}
	if v.b == nil {
		err = v.create()
	} else {
		err = v.touch()
	}
	if err == nil {
		err = v.merge(&registers, anyDense)
	}
	if err != nil {
		return refused(err)
	}
	hll.Invalidate(v.b)
	c.Changed(1)
	c.Notify(command.NotifyString, "pfadd", 1)
	c.Out.OK()
	return nil
}

// merge raises v to registers, which are no lower than its own.
func (v *edited) merge(registers *[hll.Registers]uint8, dense bool) error {
	if dense || hll.Dense(v.b) {
		return v.fill(registers)
	}
	for i, to := range registers {
		if to == 0 {
			continue
		}
		if _, err := v.raise(i, to); err != nil {
			return err
		}
		if hll.Dense(v.b) {
			return v.fill(registers)
		}
	}
	return nil
}
