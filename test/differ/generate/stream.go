package generate

import "strconv"

func streams() Group {
	id := func(d *Draw) string {
		if d.Chance(3) {
			return d.One("x", "", "-1", "1-", "-", "+", "$", ">", "*", "1-x", "1-1-1", "18446744073709551615-18446744073709551615", "18446744073709551616-0", "0-0", "1-*")
		}
		at := strconv.Itoa(d.N(d.clock + 3))
		return d.One(at, at+"-"+strconv.Itoa(d.N(4)))
	}
	start := func(d *Draw) string { return d.One("-", "+", id(d), id(d), "("+id(d)) }
	group := func(d *Draw) string { return d.One("g1", "g2", "g1", "g1", "g3") }
	consumer := func(d *Draw) string { return d.One("alice", "bob", "carol", "") }
	count := func(d *Draw) []string { return d.Option(40, "count", d.Count()) }
	trim := func(d *Draw) []string {
		how := d.One("=", "=", "", "~", "=")
		what := []string{"maxlen", d.Count()}
		if d.Chance(40) {
			what = []string{"minid", id(d)}
		}
		if how != "" {
			what = []string{what[0], how, what[1]}
		}
		return cat(what, d.Option(10, "limit", d.Count()))
	}
	fields := func(d *Draw) []string {
		var out []string
		for range 1 + d.N(3) {
			out = append(out, d.One("f", "g", d.Elem()), d.Elem())
		}
		return out
	}
	ids := func(d *Draw) []string {
		var out []string
		for range 1 + d.N(3) {
			out = append(out, id(d))
		}
		return out
	}
	// from draws keys and as many ids.
	from := func(d *Draw, id func(d *Draw) string) []string {
		keys := d.Keys(2, false)
		words := cat("streams", keys)
		for range keys {
			words = append(words, id(d))
		}
		return words
	}
	readID := func(d *Draw) string { return d.One("0", "$", id(d), id(d)) }
	groupID := func(d *Draw) string { return d.One(">", ">", ">", "0", id(d)) }
	block := func(d *Draw) []string { return d.Option(15, "block", d.One("0", "1", "-1", "x", "")) }
	return Group{"stream", []string{"xadd"}, []Command{
		{"xadd", 14, func(d *Draw) []string {
			d.clock += d.N(2)
			at := strconv.Itoa(d.clock) + "-" + d.One("*", "*", strconv.Itoa(d.N(6)))
			switch n := d.N(100); {
			case n == 0:
				at = "*" // of the machine's clock: hardly an id drawn later is above it
			case n < 8:
				at = id(d)
			}
			return cat(d.Key(), d.Option(5, "nomkstream"), d.Option(15, trim(d)...), at, fields(d))
		}},
		{"xdel", 3, func(d *Draw) []string { return cat(d.Key(), ids(d)) }},
		{"xlen", 2, keyOnly},
		{"xtrim", 2, func(d *Draw) []string { return cat(d.Key(), trim(d)) }},
		{"xrange", 3, func(d *Draw) []string { return cat(d.Key(), start(d), start(d), count(d)) }},
		{"xrevrange", 3, func(d *Draw) []string { return cat(d.Key(), start(d), start(d), count(d)) }},
		{"xread", 3, func(d *Draw) []string { return cat(count(d), block(d), from(d, readID)) }},
		{"xgroup create", 5, func(d *Draw) []string {
			return cat(d.Key(), group(d), d.One("0", "$", id(d)), d.Option(40, "mkstream"), d.Option(15, "entriesread", d.Count()))
		}},
		{"xgroup setid", 2, func(d *Draw) []string {
			return cat(d.Key(), group(d), d.One("0", "$", id(d)), d.Option(20, "entriesread", d.Count()))
		}},
		{"xgroup destroy", 1, func(d *Draw) []string { return []string{d.Key(), group(d)} }},
		{"xgroup createconsumer", 2, func(d *Draw) []string { return []string{d.Key(), group(d), consumer(d)} }},
		{"xgroup delconsumer", 1, func(d *Draw) []string { return []string{d.Key(), group(d), consumer(d)} }},
		{"xreadgroup", 8, func(d *Draw) []string {
			return cat("group", group(d), consumer(d), count(d), block(d), d.Option(15, "noack"), from(d, groupID))
		}},
		{"xack", 3, func(d *Draw) []string { return cat(d.Key(), group(d), ids(d)) }},
		{"xpending", 3, func(d *Draw) []string {
			words := []string{d.Key(), group(d)}
			if d.Chance(50) {
				words = cat(words, d.Option(15, "idle", d.One("0", "-1", "x", "9223372036854775807")), start(d), start(d), d.Count(), d.Option(30, consumer(d)))
			}
			return words
		}},
		{"xclaim", 4, func(d *Draw) []string {
			return cat(d.Key(), group(d), consumer(d), d.One("0", "0", "-1", "x", "9223372036854775807"), ids(d),
				d.Option(15, "time", d.One("1000", "0", "x")), d.Option(15, "retrycount", d.Count()), d.Option(15, "force"), d.Option(20, "justid"), d.Option(10, "lastid", id(d)))
		}},
		{"xautoclaim", 4, func(d *Draw) []string {
			return cat(d.Key(), group(d), consumer(d), d.One("0", "0", "-1", "x", "9223372036854775807"), start(d), count(d), d.Option(25, "justid"))
		}},
		{"xsetid", 2, func(d *Draw) []string {
			return cat(d.Key(), id(d), d.Option(25, "entriesadded", d.Count(), "maxdeletedid", id(d)))
		}},
		{"xinfo stream", 2, func(d *Draw) []string { return cat(d.Key(), d.Option(60, "full"), d.Option(20, "count", d.Count())) }},
		{"xinfo groups", 2, keyOnly},
		{"xinfo consumers", 2, func(d *Draw) []string { return []string{d.Key(), group(d)} }},
	}}
}
