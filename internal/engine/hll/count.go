package hll

import "math"

// histogram counts the registers by value.
type histogram [1 << registerBits]int32

// Merge raises the registers of r to those of b, for which Is holds.
func Merge(r *[Registers]uint8, b []byte) error {
	if Dense(b) {
		for first := 0; first < Registers; first += 8 {
			eight, into := eightAt(b, first), r[first:first+8]
			for i := range into {
				into[i] = max(into[i], uint8(eight&registerMask))
				eight >>= registerBits
			}
		}
		return nil
	}
	first := 0
	for p := b[HeaderBytes:]; len(p) > 0; {
		v, ok := readRun(p)
		if !ok || first+v.length > Registers {
			return ErrCorrupt
		}
		if v.value > 0 {
			for i := first; i < first+v.length; i++ {
				r[i] = max(r[i], v.value)
			}
		}
		first += v.length
		p = p[v.bytes:]
	}
	if first != Registers {
		return ErrCorrupt
	}
	return nil
}

// Count estimates the cardinality of b, for which Is holds, from its registers.
func Count(b []byte) (uint64, error) {
	var h histogram
	if Dense(b) {
		for first := 0; first < Registers; first += 8 {
			eight := eightAt(b, first)
			h[eight&registerMask]++
			h[eight>>6&registerMask]++
			h[eight>>12&registerMask]++
			h[eight>>18&registerMask]++
			h[eight>>24&registerMask]++
			h[eight>>30&registerMask]++
			h[eight>>36&registerMask]++
			h[eight>>42&registerMask]++
		}
		return h.estimate(), nil
	}
	covered := 0
	for p := b[HeaderBytes:]; len(p) > 0; {
		r, ok := readRun(p)
		if covered += r.length; !ok || covered > Registers {
			return 0, ErrCorrupt
		}
		h[r.value] += int32(r.length)
		p = p[r.bytes:]
	}
	if covered != Registers {
		return 0, ErrCorrupt
	}
	return h.estimate(), nil
}

// CountRegisters estimates the cardinality of registers that Merge has filled.
func CountRegisters(r *[Registers]uint8) uint64 {
	var h histogram
	for _, v := range r {
		h[v&registerMask]++
	}
	return h.estimate()
}

// estimate is the estimator of Otmar Ertl, "New cardinality estimation algorithms for
// HyperLogLog sketches", arXiv:1702.01284, computed in the order in which Redis does, so
// that every rounding is the same. float64(...) around a product keeps the compiler from
// fusing it with the addition, which would round once where Redis rounds twice.
func (h *histogram) estimate() uint64 {
	const (
		alpha = 0.721347520444481703680 // 1 / (2 ln 2)
		m     = float64(Registers)
		q     = 64 - indexBits
	)
	z := m * tau((m-float64(h[q+1]))/m)
	for j := q; j >= 1; j-- {
		z += float64(h[j])
		z *= 0.5
	}
	z += float64(m * sigma(float64(h[0])/m))
	e := math.Round(alpha * m * m / z)
	if e >= 1<<63 { // z is 0: nothing that was observed leaves registers like these
		return 1 << 63
	}
	return uint64(e)
}

// sigma corrects for registers that are still zero.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += float64(x * y)
		y += y
		if z == before {
			return z
		}
	}
}

// tau corrects for registers that cannot rise any more.
func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= float64(float64((1-x)*(1-x)) * y)
		if z == before {
			return z / 3
		}
	}
}
