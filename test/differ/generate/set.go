package generate

func sets() Group {
	store := func(d *Draw) []string { return cat(d.Key(), d.Keys(3, false)) }
	return Group{"set", []string{"sadd"}, []Command{
		{"sadd", 12, keyElems},
		{"srem", 5, keyElems},
		{"scard", 2, keyOnly},
		{"sismember", 3, keyElem},
		{"smismember", 2, keyElems},
		{"smembers", 3, keyOnly},
		{"smove", 3, func(d *Draw) []string { return []string{d.Key(), d.Key(), d.Elem()} }},
		{"spop", 2, keyCount},
		{"srandmember", 3, func(d *Draw) []string {
			return cat(d.Key(), d.Option(70, d.Sample()))
		}},
		{"sinter", 2, someKeys},
		{"sunion", 2, someKeys},
		{"sdiff", 2, someKeys},
		{"sinterstore", 2, store},
		{"sunionstore", 2, store},
		{"sdiffstore", 2, store},
		{"sintercard", 2, func(d *Draw) []string { return cat(d.Keys(3, true), d.Option(50, "limit", d.Count())) }},
		{"sscan", 2, func(d *Draw) []string { return cat(d.Key(), scanArgs(d)) }},
	}}
}
