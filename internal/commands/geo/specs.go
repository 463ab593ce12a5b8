package geo

import (
	"github.com/redwingdb/redwing/internal/acl"
	"github.com/redwingdb/redwing/internal/command"
)

const (
	readKey  = command.KeyRO | command.KeyAccess
	storeKey = command.KeyOW | command.KeyUpdate
)

// Specs returns the specs of the GEO commands.
func Specs() []command.Spec {
	const area = "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index."
	const shapes = "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape"
	read := func(name, since string, arity int, summary, complexity string, run command.Handler) command.Spec {
		return command.Spec{
			Name: name, Arity: arity, Flags: command.ReadOnly, Cats: acl.Geo,
			Keys: command.Key(readKey), Run: run,
			Group: "geo", Since: since, Summary: summary, Complexity: complexity,
		}
	}
	// radius returns the spec of a search whose options, from argument first on, may name
	// keys to store into.
	radius := func(name string, arity, first int, summary string, run command.Handler) command.Spec {
		return command.Spec{
			Name: name, Arity: arity, Flags: command.Write | command.DenyOOM, Cats: acl.Geo,
			Keys: []command.KeySpec{
				{Flags: readKey, Begin: 1, Step: 1},
				{Flags: storeKey, Keyword: "STORE", Begin: first, Step: 1},
				{Flags: storeKey, Keyword: "STOREDIST", Begin: first, Step: 1},
			},
			FindKeys: storeKeys(first),
			Run:      run,
			Group:    "geo", Since: "3.2.0", Summary: summary, Complexity: area,
		}
	}
	return []command.Spec{
		{
			Name: "geoadd", Arity: -5, Flags: command.Write | command.DenyOOM, Cats: acl.Geo,
			Keys:  command.Key(command.KeyRW | command.KeyUpdate),
			Run:   geoadd,
			Group: "geo", Since: "3.2.0",
			Summary:    "Add one or more geospatial items in the geospatial index represented using a sorted set",
			Complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
		},
		read("geodist", "3.2.0", -4, "Returns the distance between two members of a geospatial index", "O(1)", geodist),
		read("geohash", "3.2.0", -2, "Returns members of a geospatial index as standard geohash strings", "O(1) for each member requested.", geohash),
		read("geopos", "3.2.0", -2, "Returns longitude and latitude of members of a geospatial index", "O(1) for each member requested.", geopos),
		read("georadius_ro", "3.2.10", -6, "A read-only variant for GEORADIUS", area, georadiusRO),
		read("georadiusbymember_ro", "3.2.10", -5, "A read-only variant for GEORADIUSBYMEMBER", area, georadiusbymemberRO),
		read("geosearch", "6.2.0", -7, "Query a sorted set representing a geospatial index to fetch members inside an area of a box, a circle or a polygon.", shapes, geosearch),
		{
			Name: "geosearchstore", Arity: -8, Flags: command.Write | command.DenyOOM, Cats: acl.Geo,
			Keys: []command.KeySpec{
				{Flags: storeKey, Begin: 1, Step: 1},
				{Flags: readKey, Begin: 2, Step: 1},
			},
			Run:   geosearchstore,
			Group: "geo", Since: "6.2.0",
			Summary:    "Query a sorted set representing a geospatial index to fetch members inside an area of a box, a circle or a polygon, and store the result in another key.",
			Complexity: shapes,
		},
		radius("georadius", -6, 6, "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a point", georadius),
		radius("georadiusbymember", -5, 5, "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a member", georadiusbymember),
	}
}

// storeKeys finds the keys of a search whose options begin at argument first: the last of
// several STORE options counts, which a KeySpec cannot say.
func storeKeys(first int) func([]command.KeyRef, [][]byte) ([]command.KeyRef, bool) {
	return func(dst []command.KeyRef, args [][]byte) ([]command.KeyRef, bool) {
		if len(args) < 2 {
			return dst, false
		}
		dst = append(dst, command.KeyRef{Arg: 1, Flags: readKey})
		store := 0
		for i := first; i+1 < len(args); i++ {
			if command.Is(args[i], "store") || command.Is(args[i], "storedist") {
				i++
				store = i
			}
		}
		if store > 0 {
			dst = append(dst, command.KeyRef{Arg: store, Flags: storeKey})
		}
		return dst, true
	}
}
