// Package glob matches Redis' glob patterns: * ? [a-c] [^x] and \ to escape. It is
// byte for byte the language of Redis' stringmatchlen (util.c), oddities included;
// KEYS, SCAN, CONFIG GET, ACL rules and pattern subscriptions call it.
package glob

// Match reports whether s matches pattern.
//
// Like Redis, no pattern but the empty one matches the empty string ("*" neither),
// which is why callers treat the pattern "*" as "everything" by themselves.
//
// Time is bounded by len(pattern) x len(s): on a mismatch only the last star takes
// one more byte. An earlier star need not: what follows it up to the last one has
// matched as early as it can, so a longer choice leaves the rest less to match.
func Match(pattern, s []byte) bool { return match(pattern, s, false) }

// MatchFold is Match without regard to the case of ASCII letters.
func MatchFold(pattern, s []byte) bool { return match(pattern, s, true) }

func match(pattern, s []byte, fold bool) bool {
	p, i := 0, 0
	starP, starI := -1, 0 // the pattern behind the last star, and where it was tried
	for {
		ok := true
		for ok && p < len(pattern) && i < len(s) {
			if pattern[p] == '*' {
				for p < len(pattern) && pattern[p] == '*' {
					p++
				}
				if p == len(pattern) {
					return true
				}
				starP, starI = p, i
				continue
			}
			var next int
			if next, ok = matchOne(pattern, p, s[i], fold); ok {
				p, i = next, i+1
			}
		}
		if ok && i == len(s) {
			if len(s) > 0 {
				for p < len(pattern) && pattern[p] == '*' {
					p++
				}
			}
			if p == len(pattern) {
				return true
			}
		}
		if starP < 0 || starI+1 >= len(s) {
			return false
		}
		starI++
		p, i = starP, starI
	}
}

// matchOne matches c against the one-byte element of pattern at p, which is no star,
// and returns where the next element begins.
func matchOne(pattern []byte, p int, c byte, fold bool) (next int, ok bool) {
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		return matchClass(pattern, p+1, c, fold)
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return p + 1, same(pattern[p], c, fold)
}

// matchClass matches c against the class whose text begins at p, behind the '['. A
// class that is not closed ends with the pattern.
func matchClass(pattern []byte, p int, c byte, fold bool) (next int, ok bool) {
	negate := p < len(pattern) && pattern[p] == '^'
	if negate {
		p++
	}
	for ; ; p++ {
		switch left := len(pattern) - p; {
		case left <= 0:
			return len(pattern), ok != negate
		case left >= 2 && pattern[p] == '\\':
			p++
			ok = ok || pattern[p] == c // never folded
		case pattern[p] == ']':
			return p + 1, ok != negate
		case left >= 3 && pattern[p+1] == '-':
			ok = ok || within(pattern[p], pattern[p+2], c, fold)
			p += 2
		default:
			ok = ok || same(pattern[p], c, fold)
		}
	}
}

// within reports whether c lies between from and to, in either order. The bytes
// compare as signed, as C's char does on the machines that Redis runs on.
func within(from, to, c byte, fold bool) bool {
	lo, hi := int8(from), int8(to)
	if lo > hi {
		lo, hi = hi, lo
	}
	if fold {
		lo, hi, c = int8(lower(byte(lo))), int8(lower(byte(hi))), lower(c)
	}
	return int8(c) >= lo && int8(c) <= hi
}

func same(a, b byte, fold bool) bool { return a == b || fold && lower(a) == lower(b) }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
