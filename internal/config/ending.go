package config

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
)

// Ending is how a signal ends the node: the words of SHUTDOWN. It may be read at any time.
type Ending struct{ v atomic.Uint32 }

// endingWords are in the order in which they are shown, a bit each; "default" is none.
var endingWords = [...]string{"save", "nosave", "now", "force"}

// Has reports whether a word is set.
func (e *Ending) Has(word string) bool {
	return e.v.Load()&(1<<slices.Index(endingWords[:], word)) != 0
}

// endingValue is shutdown-on-sigint and shutdown-on-sigterm.
type endingValue struct{ dst *Ending }

func ending(dst *Ending) value { return endingValue{dst} }

func (v endingValue) set(args []string) error {
	var bits uint32
	for _, word := range args {
		word = strings.ToLower(word)
		switch i := slices.Index(endingWords[:], word); {
		case i >= 0:
			bits |= 1 << i
		case word != "default":
			return errors.New("argument(s) must be one of the following: " + strings.Join(v.words(), ", "))
		}
	}
	if len(args) == 0 {
		return errArgCount
	}
	if bits&3 == 3 {
		return redisError("shutdown options SAVE and NOSAVE can't be used simultaneously")
	}
	v.dst.v.Store(bits)
	return nil
}

func (v endingValue) words() []string { return append([]string{"default"}, endingWords[:]...) }

func (v endingValue) args() (out []string) {
	for _, word := range endingWords {
		if v.dst.Has(word) {
			out = append(out, word)
		}
	}
	if out == nil {
		return []string{"default"}
	}
	return out
}

func (v endingValue) text() string   { return strings.Join(v.args(), " ") }
func (v endingValue) domain() string { return "some of " + strings.Join(v.words(), ", ") }
