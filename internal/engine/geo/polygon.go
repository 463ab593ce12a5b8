package geo

// Polygon is what lies within straight lines, on the map, between neighbouring vertices
// and between the last and the first. Its centre is the mean of its vertices.
type Polygon struct {
	Vertices []Point
	centre   Point
	bounds   rectangle
}

// NewPolygon returns the polygon of at least three valid vertices, which it keeps.
func NewPolygon(vertices []Point) *Polygon {
	g := &Polygon{Vertices: vertices, bounds: rectangle{vertices[0], vertices[0]}}
	n := float64(len(vertices))
	for _, v := range vertices {
		g.centre.Lon += v.Lon / n
		g.centre.Lat += v.Lat / n
		g.bounds.min = Point{min(g.bounds.min.Lon, v.Lon), min(g.bounds.min.Lat, v.Lat)}
		g.bounds.max = Point{max(g.bounds.max.Lon, v.Lon), max(g.bounds.max.Lat, v.Lat)}
	}
	return g
}

// Cover implements Shape. The cells are those around the middle of the bounds.
func (g *Polygon) Cover() ([numCells]Scores, int) {
	b := g.bounds
	middle := Point{(b.min.Lon + b.max.Lon) / 2, (b.min.Lat + b.max.Lat) / 2}
	return cover(middle, max(Distance(middle, b.min), Distance(middle, b.max)), b, maxStep)
}

// Distance implements Shape.
func (g *Polygon) Distance(p Point) (metres float64, in bool) {
	// A ray to the east crosses the border an odd number of times from inside.
	j := len(g.Vertices) - 1
	for i, a := range g.Vertices {
		b := g.Vertices[j]
		if (a.Lat > p.Lat) != (b.Lat > p.Lat) &&
			p.Lon < float64((b.Lon-a.Lon)*(p.Lat-a.Lat))/(b.Lat-a.Lat)+a.Lon {
			in = !in
		}
		j = i
	}
	if !in {
		return 0, false
	}
	return Distance(g.centre, p), true
}

// Middle implements Shape.
func (g *Polygon) Middle() Point { return g.centre }
