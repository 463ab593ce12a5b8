package geo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/geo"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/zset"
)

func newRunner(t testing.TB) *commandtest.Runner {
	r := commandtest.NewRunner(t, 2, geo.Specs(), zset.Specs(zset.Deps{}), keys.Specs(keys.Deps{}))
	r.Now = 1_000_000
	return r
}

// Positions are propagated as the scores that they are kept as.
func TestEffects(t *testing.T) {
	newRunner(t).Script(t, `
		geoadd g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania -> 2 | ZADD g 3479099956230698 Palermo 3479447370796909 Catania
		geoadd g 13.361389 38.115556 Palermo      -> 0
		geoadd g nx ch 1 1 Palermo 2 2 New        -> 1 | ZADD g nx ch 3377822707026402 Palermo 3378191666521995 New
		zrem g New                                -> 1 | zrem g New
		geosearch g fromlonlat 15 37 byradius 200 km asc -> [Catania Palermo]
		geosearchstore d g fromlonlat 15 37 byradius 100 km -> 1 | geosearchstore d g fromlonlat 15 37 byradius 100 km
		geosearchstore d g fromlonlat 0 0 byradius 1 m -> 0 | geosearchstore d g fromlonlat 0 0 byradius 1 m
		geosearchstore d g fromlonlat 0 0 byradius 1 m -> 0
		georadius g 15 37 200 km store d          -> 2 | georadius g 15 37 200 km store d
		georadius g 15 37 200 km store a storedist e -> 2 | georadius g 15 37 200 km store a storedist e
		exists a e                                -> 1
		georadiusbymember none x 1 m store e      -> 0 | georadiusbymember none x 1 m store e
	`)
}

func TestPolygon(t *testing.T) {
	r := newRunner(t)
	r.Do(strings.Fields("geoadd g 1 1 a 9 1 b 1 9 c 7 7 notch 11 1 out")...)
	r.Script(t, `
		geosearch g bypolygon 6 0 0 10 0 10 5 5 5 5 10 0 10 asc  -> [c b a]
		geosearch g bypolygon 6 0 0 10 0 10 5 5 5 5 10 0 10 desc count 1 -> [a]
		geosearch g bypolygon 3 0 0 2 0 0 2 withcoord            -> [[a [0.99999994039535522 0.99999945914297683]]]
		geosearch g bypolygon 3 20 0 22 0 20 2                   -> []
		geosearchstore d g bypolygon 4 6 6 8 6 8 8 6 8           -> 1 | geosearchstore d g bypolygon 4 6 6 8 6 8 8 6 8
		zrange d 0 -1                                            -> [notch]
		geosearch g bypolygon 2 0 0 1 1 asc                      -> -ERR BYPOLYGON needs at least 3 vertices
		geosearch g bypolygon 4 0 0 1 1 0 1                      -> -ERR syntax error
		geosearch g bypolygon x 0 0 1 1 0 1                      -> -ERR value is not an integer or out of range
		geosearch g bypolygon 3 0 0 1 91 0 1                     -> -ERR invalid longitude,latitude pair 1.000000,91.000000
		geosearch g fromlonlat 0 0 bypolygon 3 0 0 1 1 0 1       -> -ERR syntax error
		geosearch g bypolygon 3 0 0 1 1 0 1 frommember a         -> -ERR syntax error
		geosearch g bypolygon 3 0 0 1 1 0 1 byradius 1 m         -> -ERR syntax error
		geosearch g bypolygon 9223372036854775807 0 0 1 1 0 1    -> -ERR syntax error
	`)
}

// A search that would look at many members asks for its shards first.
func TestSlow(t *testing.T) {
	r := newRunner(t)
	words := []string{"geoadd", "g"}
	for i := range 12_000 {
		words = append(words, fmt.Sprint(float64(i%120)/1000), fmt.Sprint(float64(i/120)/1000), fmt.Sprint(i))
	}
	for _, request := range []string{strings.Join(words, " "), "geosearch g fromlonlat 0 0 byradius 500 km count 3", "geosearchstore d g fromlonlat 0 0 bybox 500 500 km"} {
		before := r.Owned
		if reply := r.Do(strings.Fields(request)...); reply[0] == '-' {
			t.Errorf("%.40s: %s", request, reply)
		}
		if r.Owned != before+1 {
			t.Errorf("%.40s was run as an owner %d times", request, r.Owned-before)
		}
	}
	before := r.Owned
	r.Do(strings.Fields("geosearch g fromlonlat 0 0 byradius 100 m")...)
	if r.Owned != before {
		t.Error("a small search was run as an owner")
	}
}
