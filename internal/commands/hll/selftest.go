package hll

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine/hll"
	"github.com/redwingdb/redwing/internal/resp"
)

// selftestElements bounds PFSELFTEST to a fraction of a second.
const selftestElements = 1_000_000

// pfselftest adds elements to a sparse and a dense value at once: both must hold the
// same registers, and their estimate must stay within six standard errors, as Redis has it.
func pfselftest(c *command.Ctx) error {
	sparse, dense := make([]byte, hll.EmptyBytes, 2*hll.DenseBytes), make([]byte, hll.DenseBytes)
	var registers [hll.Registers]uint8
	hll.Init(sparse)
	hll.Init(dense)
	hll.PutDense(dense, &registers)
	seed := rand.Uint64()
	var elem [16]byte
	binary.LittleEndian.PutUint64(elem[:], seed)
	for n, next := 1, 1; n <= selftestElements; n++ {
		binary.LittleEndian.PutUint64(elem[8:], uint64(n))
		register, value := hll.Observe(elem[:])
		for _, b := range []*[]byte{&sparse, &dense} {
			change, err := hll.PlanRaise(*b, register, value, c.Keyspace.Limits().HLLSparse)
			if err != nil {
				return selftestFailed("corrupted registers with seed %d", seed)
			}
			if change.None() {
				continue
			}
			if change.Promotes() {
				sparse = append(sparse[:0], dense...)
				break // the dense one comes next and makes them alike
			}
			v := append(*b, make([]byte, max(0, change.Delta()))...)
			*b = v[:change.Apply(v)]
		}
		if n < next {
			continue
		}
		next *= 10
		got, err := hll.Count(dense)
		if off := math.Abs(float64(got) - float64(n)); err != nil || off > math.Ceil(6*1.04/128*float64(n)) {
			return selftestFailed("too high error with seed %d: %d of %d elements", seed, got, n)
		}
		if also, err := hll.Count(sparse); err == nil && !hll.Dense(sparse) && also != got {
			return selftestFailed("the sparse value differs with seed %d", seed)
		}
	}
	c.Out.OK()
	return nil
}

func selftestFailed(format string, args ...any) error {
	return resp.NewError("TESTFAILED " + fmt.Sprintf(format, args...))
}
