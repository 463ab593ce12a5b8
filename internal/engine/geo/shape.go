package geo

import "math"

// Shape is an area that is searched.
type Shape interface {
	// Cover returns the ranges of scores that hold all of it, in the order of the search,
	// and how many they are.
	Cover() ([numCells]Scores, int)
	// Distance returns the metres from the centre to p, and whether p is in the shape.
	Distance(p Point) (metres float64, in bool)
	// Middle returns the centre.
	Middle() Point
}

// Circle is all that is at most Radius metres from Centre.
type Circle struct {
	Centre Point
	Radius float64
}

// Cover implements Shape.
func (c *Circle) Cover() ([numCells]Scores, int) {
	return cover(c.Centre, c.Radius, boundsOf(c.Centre, c.Radius, c.Radius), 1)
}

// Distance implements Shape.
func (c *Circle) Distance(p Point) (metres float64, in bool) {
	metres = Distance(c.Centre, p)
	return metres, metres <= c.Radius
}

// Box is Width metres from west to east and Height from south to north, around Centre.
type Box struct {
	Centre        Point
	Width, Height float64
}

// Cover implements Shape.
func (b *Box) Cover() ([numCells]Scores, int) {
	w, h := b.Width/2, b.Height/2
	return cover(b.Centre, math.Sqrt(float64(w*w)+float64(h*h)), boundsOf(b.Centre, w, h), 1)
}

// Distance implements Shape.
func (b *Box) Distance(p Point) (metres float64, in bool) {
	if latDistance(p.Lat, b.Centre.Lat) > b.Height/2 {
		return 0, false
	}
	if Distance(p, Point{b.Centre.Lon, p.Lat}) > b.Width/2 {
		return 0, false
	}
	return Distance(b.Centre, p), true
}

// Middle implements Shape.
func (c *Circle) Middle() Point { return c.Centre }

// Middle implements Shape.
func (b *Box) Middle() Point { return b.Centre }
