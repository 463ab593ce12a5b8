package zset

import (
	"github.com/redwingdb/redwing/internal/double"
	"github.com/redwingdb/redwing/internal/engine"
)

// parseScores reads the bounds of a range of scores; ( before one excludes it (Redis 7.2,
// t_zset.c, zslParseRange).
func parseScores(min, max []byte) (r engine.ScoreRange, ok bool) {
	if r.Min, r.ExcludeMin, ok = parseScore(min); !ok {
		return r, false
	}
	r.Max, r.ExcludeMax, ok = parseScore(max)
	return r, ok
}

func parseScore(b []byte) (v float64, exclude, ok bool) {
	if len(b) > 0 && b[0] == '(' {
		b, exclude = b[1:], true
	}
	v, ok = double.ParseBound(b)
	return v, exclude, ok
}

// parseLex reads the bounds of a range of members: "-" and "+" are before and behind all,
// others begin with [ or, to exclude the member, ( (t_zset.c, zslParseLexRange).
func parseLex(min, max []byte) (r engine.LexRange, ok bool) {
	if r.Min, ok = parseMember(min); !ok {
		return r, false
	}
	r.Max, ok = parseMember(max)
	return r, ok
}

func parseMember(b []byte) (engine.LexBound, bool) {
	if len(b) == 0 {
		return engine.LexBound{}, false
	}
	// Redis looks no further than a NUL here.
	alone := len(b) == 1 || b[1] == 0
	switch b[0] {
	case '-':
		return engine.LexBound{Infinite: -1}, alone
	case '+':
		return engine.LexBound{Infinite: 1}, alone
	case '[', '(':
		return engine.LexBound{Member: b[1:], Exclude: b[0] == '('}, true
	}
	return engine.LexBound{}, false
}
