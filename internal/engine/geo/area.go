package geo

import "math"

// mercatorMax is half the length of the equator in metres of the projection.
const mercatorMax = 20037726.37

// Scores is a range of scores: from From up to, but not including, To.
type Scores struct{ From, To uint64 }

// The cells around one, in the order in which Redis searches them.
const (
	here = iota
	north
	south
	east
	west
	northEast
	northWest
	southEast
	southWest
	numCells
)

// cover returns the ranges of scores that hold every position of a search: those of the
// cell of its centre and of the cells around it, at a step at which these are large
// enough, without those beyond its bounds. centre is valid; radius, in metres, reaches
// from it to all that is searched. Where the cells do not reach the bounds they are made
// larger, at most tries times (Redis does so once).
func cover(centre Point, radius float64, bounds rectangle, tries int) (out [numCells]Scores, n int) {
	step := stepFor(radius, centre.Lat)
	cells := around(encode(centre, MaxLat, step))
	for ; step > 1 && tries > 0 && !reaches(&cells, bounds); tries-- {
		step--
		cells = around(encode(centre, MaxLat, step))
	}
	if step >= 2 {
		exclude(&cells, bounds)
	}
	last := 0
	for i, c := range cells {
		// Huge areas have fewer than nine cells: some neighbours are the same one.
		if c == (cell{}) || last > 0 && c == cells[last] {
			continue
		}
		last = i
		out[n].From, out[n].To = c.scores()
		n++
	}
	return out, n
}

// stepFor returns the step at which a cell and its neighbours cover a radius in metres.
func stepFor(radius, lat float64) uint {
	if radius == 0 {
		return maxStep
	}
	step := -1
	for ; radius < mercatorMax; radius *= 2 {
		step++
	}
	// Cells are narrower towards the poles.
	if lat > 66 || lat < -66 {
		step--
		if lat > 80 || lat < -80 {
			step--
		}
	}
	return uint(min(max(step, 1), maxStep))
}

// around returns a cell and its neighbours.
func around(c cell) (cells [numCells]cell) {
	for i := range cells {
		cells[i] = c
	}
	for i, d := range [numCells][2]int{
		north: {0, 1}, south: {0, -1}, east: {1, 0}, west: {-1, 0},
		northEast: {1, 1}, northWest: {-1, 1}, southEast: {1, -1}, southWest: {-1, -1},
	} {
		cells[i].move(d[0], d[1])
	}
	return cells
}

// move goes to another cell of the same step, around the world. A coordinate at the very
// end of its range has one bit too many, which is dropped only where it moves.
func (c *cell) move(lon, lat int) {
	mask := uint32(1)<<c.step - 1
	y, x := deinterleave(c.bits)
	if lon != 0 {
		x = (x + uint32(lon)) & mask
	}
	if lat != 0 {
		y = (y + uint32(lat)) & mask
	}
	c.bits = interleave(y, x)
}

// reaches reports whether the neighbours reach as far as the bounds.
func reaches(cells *[numCells]cell, bounds rectangle) bool {
	return cells[north].area().max.Lat >= bounds.max.Lat && cells[south].area().min.Lat <= bounds.min.Lat &&
		cells[east].area().max.Lon >= bounds.max.Lon && cells[west].area().min.Lon <= bounds.min.Lon
}

// exclude takes out the neighbours that lie beyond the bounds.
func exclude(cells *[numCells]cell, bounds rectangle) {
	a := cells[here].area()
	drop := func(beyond bool, which ...int) {
		if beyond {
			for _, i := range which {
				cells[i] = cell{}
			}
		}
	}
	drop(a.min.Lat < bounds.min.Lat, south, southWest, southEast)
	drop(a.max.Lat > bounds.max.Lat, north, northEast, northWest)
	drop(a.min.Lon < bounds.min.Lon, west, southWest, northWest)
	drop(a.max.Lon > bounds.max.Lon, east, southEast, northEast)
}

// boundsOf returns the rectangle that holds what is at most width metres to the east or
// west of centre and height to the north or south.
func boundsOf(centre Point, width, height float64) rectangle {
	degrees := func(rad float64) float64 { return rad / (math.Pi / 180) }
	lat := degrees(height / earthRadius)
	// The side nearer to the pole spans more degrees.
	edge := centre.Lat + lat
	if centre.Lat < 0 {
		edge = centre.Lat - lat
	}
	lon := degrees(width / earthRadius / math.Cos(radians(edge)))
	return rectangle{Point{centre.Lon - lon, centre.Lat - lat}, Point{centre.Lon + lon, centre.Lat + lat}}
}
