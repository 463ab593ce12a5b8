package generate

import "strconv"

func generic() Group {
	expireAt := func(unit int64) func(d *Draw) []string {
		return func(d *Draw) []string {
			at := (FarFuture + d.r.Int64N(1e9)) / unit
			when := strconv.FormatInt(at, 10)
			if d.Chance(8) {
				when = d.One("0", "-1", "1", "x", "", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "9223372036854775")
			}
			return cat(d.Key(), when, d.Option(20, d.One("nx", "xx", "gt", "lt", "nosuch")), d.Option(5, d.One("nx", "xx", "gt", "lt")))
		}
	}
	expireIn := func(d *Draw) []string {
		return cat(d.Key(), d.One("0", "-1", "x", "-9223372036854775808", "9223372036854775807"), d.Option(20, d.One("nx", "xx", "gt", "lt")))
	}
	return Group{"generic", []string{"del"}, []Command{
		{"del", 4, someKeys},
		{"unlink", 2, someKeys},
		{"exists", 2, someKeys},
		{"touch", 1, someKeys},
		{"type", 4, keyOnly},
		{"object encoding", 6, keyOnly},
		{"object refcount", 1, func(d *Draw) []string { return []string{"nokey"} }},
		{"object nosuch", 1, keyOnly},
		{"expire", 1, expireIn},
		{"pexpire", 1, expireIn},
		{"expireat", 4, expireAt(1000)},
		{"pexpireat", 4, expireAt(1)},
		{"persist", 2, keyOnly},
		{"ttl", 1, func(d *Draw) []string { return []string{"nokey"} }},
		{"pttl", 1, func(d *Draw) []string { return []string{"nokey"} }},
		{"expiretime", 2, keyOnly},
		{"pexpiretime", 2, keyOnly},
		{"rename", 3, twoKeys},
		{"renamenx", 2, twoKeys},
		{"copy", 4, func(d *Draw) []string {
			return cat(d.Key(), d.Key(), d.Option(50, "replace"), d.Option(5, "db", d.One("0", "x", "-1", "16", "1")))
		}},
		{"move", 1, func(d *Draw) []string { return []string{d.Key(), d.One("1", "0", "x", "16", "-1")} }},
		{"keys", 1, func(d *Draw) []string { return []string{d.Pattern()} }},
		{"scan", 1, func(d *Draw) []string {
			return cat(scanArgs(d), d.Option(20, "type", d.One("string", "list", "set", "zset", "hash", "stream", "nosuch")))
		}},
		{"dbsize", 1, func(d *Draw) []string { return nil }},
		{"swapdb", 1, func(d *Draw) []string { return []string{"0", d.One("0", "x", "99", "")} }},
	}}
}

func sorts() Group {
	args := func(d *Draw) []string {
		limits := cat(d.Option(30, d.One("asc", "desc")), d.Option(30, "limit", d.Index(), d.Count()),
			d.Option(15, "get", d.One("#", "k*", "*->a", "x*")), d.Option(5, "get", "#"))
		if d.Chance(40) { // by weights that are words, or are not there, equal ones have no order
			return cat(d.Key(), "alpha", d.Option(10, "by", "nosort"), limits)
		}
		return cat(d.Key(), d.Option(15, "by", d.One("nosort", "k*", "*", "k*->a", "x")), limits)
	}
	return Group{"sort", []string{"rpush"}, []Command{
		{"sort", 5, func(d *Draw) []string { return cat(args(d), d.Option(30, "store", d.Key())) }},
		{"sort_ro", 2, args},
		{"rpush", 3, func(d *Draw) []string { return cat(d.Key(), d.Int(), d.Int(), d.Score(), d.Elem()) }},
		{"sadd", 3, func(d *Draw) []string { return cat(d.Key(), d.Int(), d.Int(), d.Score()) }},
		// No -0: SORT makes a skiplist of the set in Redis, which keeps the sign.
		{"zadd", 3, func(d *Draw) []string {
			return []string{d.Key(), strconv.Itoa(d.N(9) - 4), d.Int(), "1.5", d.One("0", "1", "2")}
		}},
		{"set", 3, func(d *Draw) []string { return []string{d.Key(), d.Score()} }},
		{"hset", 2, func(d *Draw) []string { return []string{d.Key(), "a", d.Score()} }},
	}}
}
