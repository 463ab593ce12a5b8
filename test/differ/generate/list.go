package generate

func lists() Group {
	end := func(d *Draw) string { return d.One("left", "right", "LEFT", "RIGHT", "right", "left", "up") }
	timeout := func(d *Draw) string {
		return d.One("0", "1", "0.01", "-1", "x", "", "nan", "inf", "1e400", "9223372036854775807")
	}
	mpop := func(d *Draw) []string { return cat(d.Keys(3, true), end(d), d.Option(60, "count", d.Count())) }
	return Group{"list", []string{"rpush"}, []Command{
		{"lpush", 6, keyElems},
		{"rpush", 8, keyElems},
		{"lpushx", 2, keyElems},
		{"rpushx", 2, keyElems},
		{"lpop", 3, keyCount},
		{"rpop", 3, keyCount},
		{"llen", 2, keyOnly},
		{"lindex", 3, func(d *Draw) []string { return []string{d.Key(), d.Index()} }},
		{"lset", 4, func(d *Draw) []string { return []string{d.Key(), d.Index(), d.Elem()} }},
		{"lrange", 4, func(d *Draw) []string { return []string{d.Key(), d.Index(), d.Index()} }},
		{"linsert", 4, func(d *Draw) []string {
			return []string{d.Key(), d.One("before", "AFTER", "after", "BEFORE", "in"), d.Elem(), d.Elem()}
		}},
		{"lrem", 3, func(d *Draw) []string {
			return []string{d.Key(), d.One("0", "0", "1", "-1", "2", "-2", d.Int()), d.Elem()}
		}},
		{"ltrim", 1, func(d *Draw) []string { return []string{d.Key(), d.Index(), d.Index()} }},
		{"lpos", 3, func(d *Draw) []string {
			return cat(d.Key(), d.Elem(), d.Option(40, "rank", d.One("1", "-1", "2", "-2", d.Int())), d.Option(40, "count", d.Count()), d.Option(30, "maxlen", d.Count()))
		}},
		{"lmove", 3, func(d *Draw) []string { return []string{d.Key(), d.Key(), end(d), end(d)} }},
		{"rpoplpush", 2, twoKeys},
		{"lmpop", 2, mpop},
		{"blpop", 1, func(d *Draw) []string { return cat(d.Keys(3, false), timeout(d)) }},
		{"brpop", 1, func(d *Draw) []string { return cat(d.Keys(3, false), timeout(d)) }},
		{"blmove", 1, func(d *Draw) []string { return []string{d.Key(), d.Key(), end(d), end(d), timeout(d)} }},
		{"brpoplpush", 1, func(d *Draw) []string { return []string{d.Key(), d.Key(), timeout(d)} }},
		{"blmpop", 1, func(d *Draw) []string { return cat(timeout(d), mpop(d)) }},
	}}
}
