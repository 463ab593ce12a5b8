package generate

import "strconv"

// geos draws places that hardly ever are equally far from anywhere: among such a COUNT
// takes any.
func geos() Group {
	lon := func(d *Draw) string {
		if d.Chance(4) {
			return d.One("180", "-180", "180.1", "-180.1", "x", "", "nan", "inf", "1e400")
		}
		return strconv.FormatFloat(d.r.Float64()*float64([]int{1, 20, 360}[d.N(3)])-180*float64(d.N(2)), 'f', 5+d.N(8), 64)
	}
	lat := func(d *Draw) string {
		if d.Chance(4) {
			return d.One("85.05112878", "-85.05112878", "86", "-86", "x", "", "nan", "inf")
		}
		return strconv.FormatFloat(d.r.Float64()*float64([]int{1, 20, 85}[d.N(3)])-85*float64(d.N(2)), 'f', 5+d.N(8), 64)
	}
	place := func(d *Draw) string { return d.One("a", "b", "c", "d", "e", "f", "g", "h", d.Elem()) }
	unit := func(d *Draw) string { return d.One("m", "km", "mi", "ft", "KM", "km", "km", "cm") }
	size := func(d *Draw) string {
		if d.Chance(5) {
			return d.One(Extremes...)
		}
		return d.One("0", "1", "100", "200", "1000", "5000", "20000.5", "0.001", strconv.Itoa(d.N(3000)))
	}
	count := func(d *Draw) []string {
		return d.Option(40, cat("count", d.Count(), d.Option(25, "any"))...)
	}
	replies := func(d *Draw) []string {
		return cat(d.Option(30, "withcoord"), d.Option(30, "withdist"), d.Option(20, "withhash"))
	}
	order := func(d *Draw) []string { return d.Option(60, d.One("asc", "desc")) }
	from := func(d *Draw) []string {
		if d.Chance(50) {
			return []string{"frommember", place(d)}
		}
		return []string{"fromlonlat", lon(d), lat(d)}
	}
	by := func(d *Draw) []string {
		if d.Chance(50) {
			return []string{"byradius", size(d), unit(d)}
		}
		return []string{"bybox", size(d), size(d), unit(d)}
	}
	// Distances go to a key of their own: taken for places they would all be one.
	const distances = "distances"
	store := func(d *Draw) []string {
		if d.Chance(50) {
			return d.Option(25, "store", d.Key())
		}
		return d.Option(25, "storedist", distances)
	}
	radius := func(d *Draw) []string {
		return cat(d.Key(), lon(d), lat(d), size(d), unit(d), replies(d), count(d), order(d))
	}
	byMember := func(d *Draw) []string {
		return cat(d.Key(), place(d), size(d), unit(d), replies(d), count(d), order(d))
	}
	return Group{"geo", []string{"geoadd"}, []Command{
		{"geoadd", 8, func(d *Draw) []string {
			words := cat(d.Key(), d.Option(15, "nx"), d.Option(15, "xx"), d.Option(20, "ch"))
			for range 1 + d.N(4) {
				words = append(words, lon(d), lat(d), place(d))
			}
			return words
		}},
		{"geopos", 2, func(d *Draw) []string { return cat(d.Key(), place(d), place(d)) }},
		{"geohash", 2, func(d *Draw) []string { return cat(d.Key(), place(d), place(d)) }},
		{"geodist", 3, func(d *Draw) []string { return cat(d.Key(), place(d), place(d), d.Option(60, unit(d))) }},
		{"geosearch", 6, func(d *Draw) []string { return cat(d.Key(), from(d), by(d), order(d), count(d), replies(d)) }},
		{"geosearchstore", 3, func(d *Draw) []string {
			return cat(d.Key(), d.Key(), from(d), by(d), order(d), count(d), d.Option(30, "storedist"))
		}},
		{"georadius", 3, func(d *Draw) []string { return cat(radius(d), store(d)) }},
		{"georadius_ro", 2, radius},
		{"georadiusbymember", 3, func(d *Draw) []string { return cat(byMember(d), store(d)) }},
		{"georadiusbymember_ro", 2, byMember},
	}}
}
