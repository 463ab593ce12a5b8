package generate

import "strconv"

func strs() Group {
	keyInt := func(d *Draw) []string { return []string{d.Key(), d.Int()} }
	return Group{"string", []string{"set"}, []Command{
		{"set", 12, func(d *Draw) []string {
			words := []string{d.Key(), d.Elem()}
			for d.Chance(40) {
				if d.Chance(50) {
					words = append(words, d.At()...)
				} else {
					words = append(words, d.One("nx", "XX", "get", "KEEPTTL", "persist"))
				}
			}
			return words
		}},
		{"get", 4, keyOnly},
		{"setnx", 2, keyElem},
		{"getset", 2, keyElem},
		{"getdel", 1, keyOnly},
		{"getex", 3, func(d *Draw) []string {
			words := []string{d.Key()}
			for d.Chance(50) {
				words = append(words, append(d.At(), "persist")[:1+d.N(3)]...)
			}
			return words
		}},
		{"mget", 2, someKeys},
		{"mset", 3, func(d *Draw) []string {
			return cat(d.Key(), d.Elem(), d.Key(), d.Elem(), d.Option(50, d.Key(), d.Elem()))
		}},
		{"msetnx", 2, func(d *Draw) []string { return cat(d.Key(), d.Elem(), d.Option(50, d.Key(), d.Elem())) }},
		{"setex", 1, func(d *Draw) []string {
			return []string{d.Key(), d.One("0", "-1", "x", "9223372036854775807"), d.Elem()}
		}},
		{"psetex", 1, func(d *Draw) []string {
			return []string{d.Key(), d.One("0", "-1", "x", "9223372036854775807"), d.Elem()}
		}},
		{"append", 4, keyElem},
		{"strlen", 2, keyOnly},
		{"getrange", 2, func(d *Draw) []string { return []string{d.Key(), d.Index(), d.Index()} }},
		{"substr", 1, func(d *Draw) []string { return []string{d.Key(), d.Index(), d.Index()} }},
		{"setrange", 3, func(d *Draw) []string {
			return []string{d.Key(), d.One("-1", "0", "1", "5", "44", "63", "200", "x", strconv.Itoa(d.N(3000))), d.Elem()}
		}},
		{"incr", 3, keyOnly},
		{"decr", 3, keyOnly},
		{"incrby", 3, keyInt},
		{"decrby", 3, keyInt},
		{"incrbyfloat", 3, func(d *Draw) []string { return []string{d.Key(), d.Score()} }},
		{"lcs", 1, func(d *Draw) []string {
			if d.profile == long {
				return []string{"nokey", d.Key()} // the product of two lengths
			}
			return cat(d.Key(), d.Key(), d.Option(30, "len"), d.Option(40, "idx"), d.Option(30, "withmatchlen"), d.Option(30, "minmatchlen", d.Count()))
		}},
	}}
}
