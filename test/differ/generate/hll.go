package generate

func hlls() Group {
	return Group{"hyperloglog", []string{"pfadd"}, []Command{
		{"pfadd", 10, func(d *Draw) []string { return cat(d.Key(), d.Option(95, d.Elems()...)) }},
		{"pfcount", 5, someKeys},
		{"pfmerge", 4, func(d *Draw) []string { return cat(d.Key(), d.Keys(3, false)) }},
		{"pfdebug", 2, func(d *Draw) []string { return []string{d.One("encoding", "decode", "todense", "nosuch"), d.Key()} }},
		{"set", 1, func(d *Draw) []string {
			return []string{d.Key(), d.One("HYLL", "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "x")}
		}},
		{"get", 1, keyOnly},
	}}
}
