package config

import (
	"strconv"
	"strings"
	"sync/atomic"
)

// SavePoint says to save when there were so many changes and the last save was longer ago.
type SavePoint struct {
	Seconds int64
	Changes int64
}

// SavePoints is the setting save, to be read at any time.
type SavePoints struct{ v atomic.Pointer[[]SavePoint] }

// Get returns the points now, none where saving by itself is off. The slice is shared and
// must not be changed.
func (s *SavePoints) Get() []SavePoint {
	if p := s.v.Load(); p != nil {
		return *p
	}
	return nil
}

// savePointsValue is save: pairs of seconds and changes, or "" for none. In files and on
// the command line every line adds some.
type savePointsValue struct{ dst *SavePoints }

func savePoints(dst *SavePoints) value { return savePointsValue{dst} }

func (v savePointsValue) set(args []string) error {
	var none []SavePoint
	return v.extend(none, args)
}

// add implements adder.
func (v savePointsValue) add(args []string) error { return v.extend(v.dst.Get(), args) }

func (v savePointsValue) extend(points []SavePoint, args []string) error {
	if len(args) == 1 && args[0] == "" {
		v.dst.v.Store(&[]SavePoint{})
		return nil
	}
	bad := redisError("Invalid save parameters")
	if len(args)%2 != 0 {
		return bad
	}
	next := append([]SavePoint(nil), points...)
	for ; len(args) > 0; args = args[2:] {
		seconds, errS := strconv.ParseInt(args[0], 10, 64)
		changes, errC := strconv.ParseInt(args[1], 10, 32)
		if errS != nil || errC != nil || seconds < 1 || changes < 0 {
			return bad
		}
		next = append(next, SavePoint{seconds, changes})
	}
	v.dst.v.Store(&next)
	return nil
}

// lines are one a point, as Redis writes them.
func (v savePointsValue) lines() (out [][]string) {
	for _, p := range v.dst.Get() {
		out = append(out, []string{strconv.FormatInt(p.Seconds, 10), strconv.FormatInt(p.Changes, 10)})
	}
	if out == nil {
		return [][]string{{""}}
	}
	return out
}

func (v savePointsValue) args() (out []string) {
	for _, line := range v.lines() {
		out = append(out, line...)
	}
	return out
}

func (v savePointsValue) text() string   { return strings.Join(v.args(), " ") }
func (v savePointsValue) domain() string { return "pairs of seconds and changes, or `\"\"`" }
