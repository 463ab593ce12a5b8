package geo

import "math"

// earthRadius is in metres (WGS-84, as Redis has it).
const earthRadius = 6372797.560856

// Distance returns the metres between two positions along the sphere (haversine).
func Distance(a, b Point) float64 {
	lon1, lon2 := radians(a.Lon), radians(b.Lon)
	v := math.Sin((lon2 - lon1) / 2)
	if v == 0 {
		return latDistance(a.Lat, b.Lat)
	}
	lat1, lat2 := radians(a.Lat), radians(b.Lat)
	u := math.Sin((lat2 - lat1) / 2)
	h := float64(u*u) + float64(float64(float64(math.Cos(lat1)*math.Cos(lat2))*v)*v)
	return 2 * earthRadius * math.Asin(math.Sqrt(h))
}

// latDistance returns the metres between two latitudes.
func latDistance(a, b float64) float64 { return earthRadius * math.Abs(radians(b)-radians(a)) }

// A Unit is a unit of distances, in metres.
type Unit float64

const (
	Metre     Unit = 1
	Kilometre Unit = 1000
	Foot      Unit = 0.3048
	Mile      Unit = 1609.34
)
