// Package hll implements the HyperLogLog commands: PFADD, PFCOUNT, PFMERGE, PFDEBUG and
// PFSELFTEST. The values are strings in the format of package engine/hll; this package
// owns which errors clients see, what is cached within a value and what is propagated.
package hll

import (
	"errors"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/hll"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errNotHLL  = resp.NewError("WRONGTYPE Key is not a valid HyperLogLog string value.")
	errCorrupt = resp.NewError("INVALIDOBJ Corrupted HLL object detected")
)

// refused turns what spoilt bytes lead to into what a client sees.
func refused(err error) error {
	if errors.Is(err, hll.ErrCorrupt) {
		return errCorrupt
	}
	return err
}

// value returns the bytes of a found record, which must be those of a HyperLogLog.
func value(r engine.Record) ([]byte, error) {
	if r.Type() != engine.TypeString {
		return nil, resp.ErrWrongType
	}
	if _, isInt := r.Int(); isInt {
		return nil, errNotHLL
	}
	b := r.Bytes(nil)
	if !hll.Is(b) {
		return nil, errNotHLL
	}
	return b, nil
}

// edited is the value of argument i opened for a change.
type edited struct {
	e         engine.StringEdit
	b         []byte // the value as it is now; nil: there is none
	maxSparse int    // hll-sparse-max-bytes
}

func (v *edited) open(c *command.Ctx, i int) error {
	v.maxSparse = c.Keyspace.Limits().HLLSparse
	r, found := c.DB.OpenEdit(&v.e, c.Slot(i), c.Args[i])
	if !found {
		return nil
	}
	var err error
	v.b, err = value(r)
	return err
}

// create makes an empty value.
func (v *edited) create() (err error) {
	if v.b, err = v.e.Resize(hll.EmptyBytes); err == nil {
		hll.Init(v.b)
	}
	return err
}

// touch makes the value ready to be changed in place.
func (v *edited) touch() (err error) {
	v.b, err = v.e.Resize(len(v.b))
	return err
}

// promote makes a sparse value dense.
func (v *edited) promote() error {
	var registers [hll.Registers]uint8
	if err := hll.Merge(&registers, v.b); err != nil {
		return err
	}
	return v.fill(&registers)
}

// fill makes the value the dense one of registers.
func (v *edited) fill(registers *[hll.Registers]uint8) error {
	b, err := v.e.Resize(hll.DenseBytes)
	if err == nil {
		v.b = b
		hll.PutDense(b, registers)
	}
	return err
}

// raise raises one register and reports whether it was lower.
func (v *edited) raise(register int, to uint8) (bool, error) {
	change, err := hll.PlanRaise(v.b, register, to, v.maxSparse)
	if err != nil || change.None() {
		return false, err
	}
	if change.Promotes() {
		if err := v.promote(); err != nil {
			return false, err
		}
		if change, err = hll.PlanRaise(v.b, register, to, v.maxSparse); err != nil {
			return false, err
		}
	}
	b, err := v.e.Resize(len(v.b) + max(0, change.Delta()))
	if err != nil {
		return false, err
	}
	v.b = b
	if n := change.Apply(b); n < len(b) {
		v.b, err = v.e.Resize(n)
	}
	return true, err
}
