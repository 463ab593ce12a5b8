package stream

import (
	"fmt"
	"math"
	"testing"
)

func TestIDText(t *testing.T) {
	for limit, n := uint64(1), 0; n < 20; limit, n = limit*10, n+1 {
		for _, v := range []uint64{limit - 1, limit, limit + 1, math.MaxUint64 - limit} {
			if got, want := (ID{v, v}).String(), fmt.Sprintf("%d-%d", v, v); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	}
}
