package generate

import "strconv"

func bitmaps() Group {
	offset := func(d *Draw) string {
		if d.Chance(4) {
			return d.One("-1", "x", "", "4294967296", "9223372036854775807", "1.5")
		}
		return strconv.Itoa(d.N([]int{8, 70, 600}[d.N(3)]))
	}
	span := func(d *Draw) []string {
		if d.Chance(40) {
			return nil
		}
		return cat(d.Index(), d.Index(), d.Option(40, d.One("bit", "byte", "nibble")))
	}
	kind := func(d *Draw) string {
		if d.Chance(4) {
			return d.One("u64", "i65", "u0", "i0", "x8", "", "u", "u-1", "i9999999999")
		}
		return d.One("i", "u") + d.One("1", "2", "3", "5", "8", "16", "31", "32", "63")
	}
	at := func(d *Draw) string { return d.One("", "", "#") + d.One("0", "1", "3", "7", "8", "100", offset(d)) }
	ops := func(write bool) func(d *Draw) []string {
		return func(d *Draw) []string {
			words := []string{d.Key()}
			for range d.N(4) {
				switch op := d.N(4); {
				case !write && d.Chance(95), op == 0:
					words = append(words, "get", kind(d), at(d))
				case op == 1:
					words = append(words, "set", kind(d), at(d), d.Int())
				case op == 2:
					words = append(words, "incrby", kind(d), at(d), d.Int())
				default:
					words = append(words, "overflow", d.One("wrap", "sat", "fail", "SAT", "ignore"))
				}
			}
			return words
		}
	}
	return Group{"bitmap", []string{"setbit"}, []Command{
		{"setbit", 10, func(d *Draw) []string { return []string{d.Key(), offset(d), d.One("0", "1", "1", "1", "2", "x")} }},
		{"getbit", 4, func(d *Draw) []string { return []string{d.Key(), offset(d)} }},
		{"bitcount", 4, func(d *Draw) []string { return cat(d.Key(), span(d)) }},
		{"bitpos", 5, func(d *Draw) []string {
			return cat(d.Key(), d.One("0", "1", "1", "2", "x"), d.Option(70, d.Index()), d.Option(50, d.Index()), d.Option(40, d.One("bit", "byte", "bit", "byte", "nibble")))
		}},
		{"bitop", 5, func(d *Draw) []string {
			return cat(d.One("and", "or", "xor", "not", "NOT", "nand"), d.Key(), d.Keys(3, false))
		}},
		{"bitfield", 6, ops(true)},
		{"bitfield_ro", 2, ops(false)},
		{"set", 3, keyElem},
		{"append", 1, keyElem},
		{"strlen", 1, keyOnly},
	}}
}
