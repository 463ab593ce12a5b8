package geo

import "math"

// PreciseDistance is Distance with sines, cosines and arcsines rounded correctly, as
// nearly always those of the C library are: for distances that are kept as they are. It
// costs about ten times as much.
func PreciseDistance(a, b Point) float64 {
	lon1, lon2 := radians(a.Lon), radians(b.Lon)
	v, _ := sinCos((lon2 - lon1) / 2)
	if v == 0 {
		return latDistance(a.Lat, b.Lat)
	}
	lat1, lat2 := radians(a.Lat), radians(b.Lat)
	u, _ := sinCos((lat2 - lat1) / 2)
	_, c1 := sinCos(lat1)
	_, c2 := sinCos(lat2)
	h := float64(u*u) + float64(float64(float64(c1*c2)*v)*v)
	return 2 * earthRadius * asin(math.Sqrt(h))
}

// pair is the unevaluated sum of two doubles, about 106 bits.
type pair struct{ hi, lo float64 }

func sumOf(a, b float64) pair {
	s := a + b
	t := s - a
	return pair{s, (a - (s - t)) + (b - t)}
}

func (a pair) add(b pair) pair {
	s := sumOf(a.hi, b.hi)
	return sumOf(s.hi, s.lo+(a.lo+b.lo))
}

func (a pair) mul(b pair) pair {
	p := a.hi * b.hi
	e := math.FMA(a.hi, b.hi, -p)
	e += float64(a.hi*b.lo) + float64(a.lo*b.hi)
	return sumOf(p, e)
}

func (a pair) over(d float64) pair {
	q := a.hi / d
	return sumOf(q, (math.FMA(-q, d, a.hi)+a.lo)/d)
}

func (a pair) neg() pair { return pair{-a.hi, -a.lo} }

// quarter is pi/2.
var quarter = pair{1.5707963267948966, 6.123233995736766e-17}

// series sums term, -term x2/(n(n+1)), ... where each term has two more factors below.
func series(term, x2 pair, n float64) pair {
	sum := term
	for ; math.Abs(term.hi) > math.Abs(sum.hi)*1e-33; n += 2 {
		term = term.mul(x2).over(n).over(n + 1).neg()
		sum = sum.add(term)
	}
	return sum
}

// sinCosPair returns sine and cosine of an angle of at most a few turns.
func sinCosPair(x float64) (sin, cos pair) {
	k := math.Round(x / quarter.hi)
	r := pair{x, 0}.add(quarter.mul(pair{k, 0}).neg())
	r2 := r.mul(r)
	s, c := pair{}, series(pair{1, 0}, r2, 1)
	if r.hi != 0 {
		s = series(r, r2, 2)
	}
	switch int64(k) & 3 {
	case 0:
		return s, c
	case 1:
		return c, s.neg()
	case 2:
		return s.neg(), c.neg()
	}
	return c.neg(), s
}

func sinCos(x float64) (sin, cos float64) {
	s, c := sinCosPair(x)
	return s.hi + s.lo, c.hi + c.lo
}

// asin returns the arcsine of a number from 0 to 1: one step of Newton's method from what
// is right to the last bit or two.
func asin(x float64) float64 {
	y := math.Asin(x)
	s, c := sinCosPair(y)
	if !(c.hi > 0) || x != x {
		return y
	}
	d := pair{x, 0}.add(s.neg())
	return y + d.hi/c.hi
}
