package generate

// lexKey is the one key that ranges by member are asked of: all its scores are equal. Where
// they differ the reply of a skiplist is a matter of chance.
const lexKey = "lex"

func zsets() Group {
	bound := func(d *Draw) string {
		if d.Chance(3) {
			return d.Word()
		}
		return d.One("", "", "", "(") + d.One(d.Score(), d.Score(), "-inf", "+inf")
	}
	lexBound := func(d *Draw) string {
		if d.Chance(3) {
			return d.Word()
		}
		return d.One("-", "+", "["+d.Elem(), "("+d.Elem(), "[a", "(b", "[")
	}
	limit := func(d *Draw) []string { return d.Option(30, "limit", d.Index(), d.Count()) }
	weights := func(d *Draw) []string {
		return cat(d.Option(20, "weights", d.Score()), d.Option(25, "aggregate", d.One("sum", "min", "MAX", "avg")))
	}
	// several draws keys with their weights, in the right number in most cases.
	several := func(d *Draw) []string {
		keys := d.Keys(3, true)
		if d.Chance(40) {
			keys = append(keys, "weights")
			for range len(keys) - 2 {
				keys = append(keys, d.Score())
			}
		}
		return cat(keys, weights(d))
	}
	withScores := func(d *Draw) []string { return d.Option(50, "withscores") }
	byScore := func(d *Draw) []string { return cat(d.Key(), bound(d), bound(d), withScores(d), limit(d)) }
	byLex := func(d *Draw) []string { return cat(lexKey, lexBound(d), lexBound(d), limit(d)) }
	ranged := func(d *Draw) []string {
		if d.Chance(30) {
			return cat(bound(d), bound(d), "byscore", d.Option(40, "rev"), limit(d))
		}
		return cat(d.Index(), d.Index(), d.Option(40, "rev"), d.Option(3, "limit", "0", "1"))
	}
	timeout := func(d *Draw) string { return d.One("0", "1", "0.01", "-1", "x", "nan", "inf") }
	mpop := func(d *Draw) []string {
		return cat(d.Keys(3, true), d.One("min", "max", "MIN", "MAX", "mid"), d.Option(60, "count", d.Count()))
	}
	random := func(d *Draw) []string {
		return cat(d.Key(), d.Option(80, d.Sample()), d.Option(40, "withscores"))
	}
	return Group{"zset", []string{"zadd"}, []Command{
		{"zadd", 14, func(d *Draw) []string {
			words := cat(d.Key(), d.Option(10, "nx"), d.Option(10, "xx"), d.Option(10, "gt"), d.Option(10, "lt"), d.Option(20, "ch"))
			if d.Chance(10) {
				return cat(words, "incr", d.Score(), d.Elem())
			}
			for _, e := range d.Elems() {
				words = append(words, d.Score(), e)
			}
			return words
		}},
		{"zadd", 6, func(d *Draw) []string {
			words := []string{lexKey}
			for _, e := range d.Elems() {
				words = append(words, "0", e)
			}
			return words
		}},
		{"zincrby", 5, func(d *Draw) []string { return []string{d.Key(), d.Score(), d.Elem()} }},
		{"zrem", 4, keyElems},
		{"zcard", 2, keyOnly},
		{"zscore", 3, keyElem},
		{"zmscore", 2, keyElems},
		{"zrank", 2, keyElem},
		{"zrevrank", 2, keyElem},
		{"zcount", 2, func(d *Draw) []string { return []string{d.Key(), bound(d), bound(d)} }},
		{"zlexcount", 2, func(d *Draw) []string { return []string{lexKey, lexBound(d), lexBound(d)} }},
		{"zrange", 5, func(d *Draw) []string { return cat(d.Key(), ranged(d), withScores(d)) }},
		{"zrange", 2, func(d *Draw) []string {
			return cat(lexKey, lexBound(d), lexBound(d), "bylex", d.Option(40, "rev"), limit(d), d.Option(5, "withscores"))
		}},
		{"zrangestore", 1, func(d *Draw) []string {
			return cat(d.Key(), lexKey, lexBound(d), lexBound(d), "bylex", d.Option(40, "rev"), limit(d))
		}},
		{"zrangestore", 3, func(d *Draw) []string { return cat(d.Key(), d.Key(), ranged(d)) }},
		{"zrevrange", 2, func(d *Draw) []string { return cat(d.Key(), d.Index(), d.Index(), withScores(d)) }},
		{"zrangebyscore", 3, byScore},
		{"zrevrangebyscore", 3, byScore},
		{"zrangebylex", 2, byLex},
		{"zrevrangebylex", 2, byLex},
		{"zremrangebyrank", 1, func(d *Draw) []string { return []string{d.Key(), d.Index(), d.Index()} }},
		{"zremrangebyscore", 1, func(d *Draw) []string { return []string{d.Key(), bound(d), bound(d)} }},
		{"zremrangebylex", 1, func(d *Draw) []string { return []string{lexKey, lexBound(d), lexBound(d)} }},
		{"zpopmin", 2, keyCount},
		{"zpopmax", 2, keyCount},
		{"zmpop", 2, mpop},
		{"bzpopmin", 1, func(d *Draw) []string { return cat(d.Keys(3, false), timeout(d)) }},
		{"bzpopmax", 1, func(d *Draw) []string { return cat(d.Keys(3, false), timeout(d)) }},
		{"bzmpop", 1, func(d *Draw) []string { return cat(timeout(d), mpop(d)) }},
		{"zrandmember", 2, random},
		{"zunion", 2, func(d *Draw) []string { return cat(several(d), withScores(d)) }},
		{"zinter", 2, func(d *Draw) []string { return cat(several(d), withScores(d)) }},
		{"zdiff", 2, func(d *Draw) []string { return cat(d.Keys(3, true), withScores(d)) }},
		{"zunionstore", 2, func(d *Draw) []string { return cat(d.Key(), several(d)) }},
		{"zinterstore", 2, func(d *Draw) []string { return cat(d.Key(), several(d)) }},
		{"zdiffstore", 2, func(d *Draw) []string { return cat(d.Key(), d.Keys(3, true)) }},
		{"zintercard", 2, func(d *Draw) []string { return cat(d.Keys(3, true), d.Option(50, "limit", d.Count())) }},
		{"zscan", 1, func(d *Draw) []string { return cat(d.Key(), scanArgs(d)) }},
		{"sadd", 2, keyElems}, // sets are sources of the commands on several keys
	}}
}
