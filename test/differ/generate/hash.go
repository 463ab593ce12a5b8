package generate

import "strconv"

func hashes() Group {
	return Group{"hash", []string{"hset"}, []Command{
		{"hset", 10, func(d *Draw) []string { return cat(d.Key(), d.Pairs(d.Elem)) }},
		{"hmset", 2, func(d *Draw) []string { return cat(d.Key(), d.Pairs(d.Elem)) }},
		{"hsetnx", 3, func(d *Draw) []string { return []string{d.Key(), d.Elem(), d.Elem()} }},
		{"hget", 3, keyElem},
		{"hmget", 2, keyElems},
		{"hdel", 5, keyElems},
		{"hexists", 2, keyElem},
		{"hstrlen", 2, keyElem},
		{"hlen", 2, keyOnly},
		{"hgetall", 2, keyOnly},
		{"hkeys", 2, keyOnly},
		{"hvals", 2, keyOnly},
		{"hincrby", 4, func(d *Draw) []string { return []string{d.Key(), d.Elem(), d.Int()} }},
		{"hincrbyfloat", 4, func(d *Draw) []string { return []string{d.Key(), d.Elem(), d.Score()} }},
		{"hrandfield", 3, func(d *Draw) []string {
			return cat(d.Key(), d.Option(80, d.Sample()), d.Option(40, "withvalues"))
		}},
		{"hscan", 2, func(d *Draw) []string { return cat(d.Key(), scanArgs(d)) }},
		{"hexpire", 2, func(d *Draw) []string {
			return cat(d.Key(), d.One("100000", "0", "200000"), fieldCondition(d), fields(d.Elems(), 1))
		}},
		{"hpexpire", 2, func(d *Draw) []string {
			return cat(d.Key(), d.One("100000000", "0"), fieldCondition(d), fields(d.Elems(), 1))
		}},
		{"hexpireat", 2, func(d *Draw) []string {
			return cat(d.Key(), fieldTime(d, 1000), fieldCondition(d), fields(d.Elems(), 1))
		}},
		{"hpexpireat", 2, func(d *Draw) []string { return cat(d.Key(), fieldTime(d, 1), fieldCondition(d), fields(d.Elems(), 1)) }},
		{"hpersist", 2, func(d *Draw) []string { return cat(d.Key(), fields(d.Elems(), 1)) }},
		{"hpexpiretime", 1, func(d *Draw) []string { return cat(d.Key(), fields(d.Elems(), 1)) }},
		{"hgetdel", 2, func(d *Draw) []string { return cat(d.Key(), fields(d.Elems(), 1)) }},
		{"hgetex", 2, func(d *Draw) []string {
			return cat(d.Key(), d.Option(50, "pxat", fieldTime(d, 1)), d.Option(30, "persist"), fields(d.Elems(), 1))
		}},
		{"hsetex", 4, func(d *Draw) []string {
			return cat(d.Key(), d.Option(20, d.One("fnx", "fxx")), d.Option(50, "pxat", fieldTime(d, 1)), d.Option(20, "keepttl"), fields(d.Pairs(d.Elem), 2))
		}},
	}}
}

// fields writes FIELDS and a number before groups of width words.
func fields(words []string, width int) []string {
	return append([]string{"fields", strconv.Itoa(len(words) / width)}, words...)
}

func fieldCondition(d *Draw) []string { return d.Option(20, d.One("nx", "xx", "gt", "lt")) }

// fieldTime is a time that has passed or is far off, in units of unit milliseconds.
func fieldTime(d *Draw, unit int64) string {
	if d.Chance(15) {
		return "1"
	}
	return strconv.FormatInt((FarFuture+d.r.Int64N(1e6))/unit, 10)
}
