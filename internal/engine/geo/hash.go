// Package geo is the geometry behind the GEO commands: positions as 52-bit geohashes,
// which are scores of a sorted set, distances on a sphere, and the ranges of scores that
// cover an area. It is pure arithmetic; results are Redis' own (geohash.c,
// geohash_helper.c, geo.c), and the same on every machine: no product is fused with a sum.
package geo

import "math"

// Point is a position in degrees.
type Point struct{ Lon, Lat float64 }

// The range of positions: the latitude is that of the Mercator projection, EPSG:3857.
const (
	MaxLon = 180.0
	MaxLat = 85.05112878
)

// maxStep is the bits of a coordinate in a score.
const maxStep = 26

// Valid reports whether p can be stored.
func (p Point) Valid() bool {
	return p.Lon >= -MaxLon && p.Lon <= MaxLon && p.Lat >= -MaxLat && p.Lat <= MaxLat
}

// cell is a rectangle of the grid that halves both coordinates step times. Its bits
// interleave those of latitude (even ones) and longitude. The zero value is no cell.
type cell struct {
	bits uint64
	step uint
}

// Encode returns the score of p.
func Encode(p Point) uint64 { return encode(p, MaxLat, maxStep).bits }

// encode returns the cell of p in a grid whose latitudes reach maxLat.
func encode(p Point, maxLat float64, step uint) cell {
	scale := float64(uint64(1) << step)
	lat := (p.Lat + maxLat) / (2 * maxLat) * scale
	lon := (p.Lon + MaxLon) / (2 * MaxLon) * scale
	return cell{interleave(uint32(int64(lat)), uint32(int64(lon))), step}
}

// Decode returns the position that a score stands for: the middle of its cell. Scores
// that no position has give some position.
func Decode(score float64) Point { return middle(cell{toBits(score), maxStep}) }

func middle(c cell) Point {
	a := c.area()
	lon := (a.min.Lon + a.max.Lon) / 2
	lat := (a.min.Lat + a.max.Lat) / 2
	return Point{min(max(lon, -MaxLon), MaxLon), min(max(lat, -MaxLat), MaxLat)}
}

// toBits converts a score as C does on amd64, for scores out of range too.
func toBits(score float64) uint64 {
	signed := func(v float64) uint64 {
		if !(v > -(1<<63)-1 && v < 1<<63) {
			return 1 << 63
		}
		return uint64(int64(v))
	}
	if score >= 1<<63 {
		return signed(score-1<<63) ^ 1<<63
	}
	return signed(score)
}

// rectangle is an area between two corners.
type rectangle struct{ min, max Point }

// area returns the rectangle of c.
func (c cell) area() rectangle {
	lat, lon := deinterleave(c.bits)
	scale := float64(uint64(1) << c.step)
	at := func(i uint64, limit float64) float64 {
		return float64(float64(i)/scale*(2*limit)) - limit
	}
	return rectangle{
		Point{at(uint64(lon), MaxLon), at(uint64(lat), MaxLat)},
		Point{at(uint64(lon)+1, MaxLon), at(uint64(lat)+1, MaxLat)},
	}
}

// scores returns the range of scores in c: from the first up to, but not including, the
// second.
func (c cell) scores() (from, to uint64) {
	shift := 2 * (maxStep - c.step)
	return c.bits << shift, (c.bits + 1) << shift
}

// interleave puts the bits of even at the even places and those of odd between them.
func interleave(even, odd uint32) uint64 { return spread(even) | spread(odd)<<1 }

func deinterleave(v uint64) (even, odd uint32) { return squeeze(v), squeeze(v >> 1) }

var spreadMasks = [...]uint64{
	0x0000FFFF0000FFFF, 0x00FF00FF00FF00FF, 0x0F0F0F0F0F0F0F0F, 0x3333333333333333, 0x5555555555555555,
}

func spread(x uint32) uint64 {
	v := uint64(x)
	for i, shift := 0, 16; shift > 0; i, shift = i+1, shift/2 {
		v = (v | v<<shift) & spreadMasks[i]
	}
	return v
}

func squeeze(v uint64) uint32 {
	v &= spreadMasks[4]
	for i, shift := 3, 1; i >= 0; i, shift = i-1, shift*2 {
		v = (v | v>>shift) & spreadMasks[i]
	}
	return uint32(v | v>>16)
}

const alphabet = "0123456789bcdefghjkmnpqrstuvwxyz"

// AppendHash appends the standard geohash of a score, 11 characters: its grid reaches to
// the poles, and its last character, for which there are too few bits, is always 0.
func AppendHash(dst []byte, score float64) []byte {
	bits := encode(Decode(score), 90, maxStep).bits
	for i := range 10 {
		dst = append(dst, alphabet[bits>>(52-5*(i+1))&31])
	}
	return append(dst, alphabet[0])
}

// radians is written so that the compiler rounds as C does.
func radians(deg float64) float64 { return deg * (math.Pi / 180) }
