package geo

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestKnownPositions(t *testing.T) {
	palermo, catania := Point{13.361389, 38.115556}, Point{15.087269, 37.502669}
	for p, want := range map[Point]uint64{palermo: 3479099956230698, catania: 3479447370796909} {
		if got := Encode(p); got != want {
			t.Errorf("%v: %d, want %d", p, got, want)
		}
	}
	for score, want := range map[float64]string{3479099956230698: "sqc8b49rny0", 3479447370796909: "sqdtr74hyu0"} {
		if got := string(AppendHash(nil, score)); got != want {
			t.Errorf("%v: %s, want %s", score, got, want)
		}
	}
	got := Distance(Decode(3479099956230698), Decode(3479447370796909))
	if math.Abs(got-166274.1516) > 0.0001 {
		t.Errorf("from Palermo to Catania %f", got)
	}
}

func randomPoint(r *rand.Rand) Point {
	return Point{(r.Float64()*2 - 1) * MaxLon, (r.Float64()*2 - 1) * MaxLat}
}

func TestDecodeIsNear(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		p := randomPoint(r)
		q := Decode(float64(Encode(p)))
		if math.Abs(p.Lon-q.Lon) > 360.0/(1<<26) || math.Abs(p.Lat-q.Lat) > 171.0/(1<<26) {
			t.Fatalf("%v decodes as %v", p, q)
		}
	}
	for _, score := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 1e300, -1e300, 1 << 52, 1 << 63, 1 << 64, 0.5} {
		if p := Decode(score); !p.Valid() {
			t.Errorf("%v decodes as %v", score, p)
		}
	}
}

// Whatever is in a shape is in its cover, as far from the date line and the poles as
// Redis' own cells reach.
func TestCoverHoldsShape(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for seed := range 3000 {
		centre := Point{(r.Float64()*2 - 1) * 100, (r.Float64()*2 - 1) * 60}
		size := math.Pow(10, r.Float64()*5.7) // to 500 km
		var vertices []Point
		for range 3 + r.IntN(5) {
			vertices = append(vertices, Point{centre.Lon + (r.Float64()-0.5)*40, centre.Lat + (r.Float64()-0.5)*40})
		}
		for _, shape := range []Shape{&Circle{centre, size}, &Box{centre, size, size * r.Float64() * 2}, NewPolygon(vertices)} {
			ranges, n := shape.Cover()
			for range 50 {
				spread := 40.0
				if _, ok := shape.(*Polygon); !ok {
					spread = size / 30_000
				}
				p := Point{centre.Lon + (r.Float64()-0.5)*spread, centre.Lat + (r.Float64()-0.5)*spread}
				if !p.Valid() {
					continue
				}
				score := Encode(p)
				if _, in := shape.Distance(Decode(float64(score))); !in {
					continue
				}
				held := false
				for _, c := range ranges[:n] {
					held = held || score >= c.From && score < c.To
				}
				if !held {
					t.Fatalf("seed %d: %v is in %+v but not in %v", seed, p, shape, ranges[:n])
				}
			}
		}
	}
}

func TestPolygon(t *testing.T) {
	// An L, whose notch is outside.
	g := NewPolygon([]Point{{0, 0}, {10, 0}, {10, 5}, {5, 5}, {5, 10}, {0, 10}})
	for p, want := range map[Point]bool{{1, 1}: true, {9, 1}: true, {1, 9}: true, {7, 7}: false, {-1, 5}: false, {11, 1}: false, {5, 11}: false, {4.9, 9.9}: true} {
		if _, in := g.Distance(p); in != want {
			t.Errorf("%v: %v", p, in)
		}
	}
}

// bigSin is the sine to 200 bits.
func bigSin(x float64) float64 {
	v := new(big.Float).SetPrec(300).SetFloat64(x)
	sq := new(big.Float).Mul(v, v)
	term, sum := new(big.Float).Copy(v), new(big.Float).Copy(v)
	for n := int64(2); n < 120; n += 2 {
		term.Mul(term, sq)
		term.Quo(term, big.NewFloat(float64(-n*(n+1))))
		sum.Add(sum, term)
	}
	f, _ := sum.Float64()
	return f
}

func TestPrecise(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 20_000 {
		x := (r.Float64()*2 - 1) * math.Pi
		if got, _ := sinCos(x); got != bigSin(x) {
			t.Fatalf("sin %v: %v, want %v", x, got, bigSin(x))
		}
		p, q := randomPoint(r), randomPoint(r)
		if a, b := Distance(p, q), PreciseDistance(p, q); math.Abs(a-b) > 1e-6 {
			t.Fatalf("from %v to %v: %v, precisely %v", p, q, a, b)
		}
	}
	for _, x := range []float64{0, 1, 0.5, 1e-300} {
		if got := asin(x); got != math.Asin(x) {
			t.Errorf("asin %v: %v", x, got)
		}
	}
}

func BenchmarkDistance(b *testing.B) {
	p, q := Point{13.361389, 38.115556}, Point{15.087269, 37.502669}
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			Distance(p, q)
		}
	})
	b.Run("precise", func(b *testing.B) {
		for b.Loop() {
			PreciseDistance(p, q)
		}
	})
}
