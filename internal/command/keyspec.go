package command

import "strings"

// KeyFlags say what a command does with the keys of one KeySpec.
type KeyFlags uint32

const (
	KeyRW KeyFlags = 1 << iota
	KeyRO
	KeyOW
	KeyRM
	KeyAccess
	KeyUpdate
	KeyInsert
	KeyDelete
	NotKey
	Incomplete
	VariableFlags
)

var keyFlagNames = [...]string{
	"RW", "RO", "OW", "RM", "access", "update", "insert", "delete", "not_key",
	"incomplete", "variable_flags",
}

// Names returns the flags in Redis' spelling and order.
func (f KeyFlags) Names() []string {
	var out []string
	for i, name := range keyFlagNames {
		if f&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// KeySpec finds keys among the arguments of a request: where to begin, and which
// arguments from there are keys (Redis documentation, "Command key specifications").
type KeySpec struct {
	Flags KeyFlags
	Notes string

	// Begin is the index of the first key argument (or of the key count). With
	// Keyword set, the search for that word starts at Begin instead (from the end
	// if negative) and the keys begin behind it.
	Begin   int
	Keyword string

	// The keys are Last..: relative to the first one, or from the end of the
	// request if negative, every Step-th; Limit > 1 stops at 1/Limit of the rest.
	Last, Step, Limit int

	// CountAt >= 0 with UseCount: the argument at Begin+CountAt holds the number
	// of keys, the first of which is at Begin+FirstAt.
	UseCount         bool
	CountAt, FirstAt int

	// Unknown: keys cannot be found by rule.
	Unknown bool
}

// Key returns the spec of commands with one key at argument 1.
func Key(f KeyFlags) []KeySpec { return []KeySpec{{Flags: f, Begin: 1, Step: 1}} }

// KeysTo returns the spec of commands whose keys run from argument 1 to last
// (negative: from the end), every step-th.
func KeysTo(last, step int, f KeyFlags) []KeySpec {
	return []KeySpec{{Flags: f, Begin: 1, Last: last, Step: step}}
}

// KeyRef is one key of a request.
type KeyRef struct {
	Arg   int // index into the arguments
	Flags KeyFlags
}

// AppendKeys appends the keys of args to dst. ok is false where a key count is
// not a number or keys run past the arguments; the command itself then says why.
func (s *KeySpec) AppendKeys(dst []KeyRef, args [][]byte) (_ []KeyRef, ok bool) {
	if s.Unknown {
		return dst, true
	}
	begin := s.Begin
	if s.Keyword != "" {
		if begin = findKeyword(s.Keyword, s.Begin, args); begin < 0 {
			return dst, true // keyword absent: no keys by this spec
		}
	}
	if begin >= len(args) {
		return dst, begin == len(args) && s.Last < 0 && !s.UseCount // the rest is empty
	}
	first, last, step := begin, 0, s.Step
	if s.UseCount {
		if begin+s.CountAt >= len(args) {
			return dst, false
		}
		n, ok := smallCount(args[begin+s.CountAt])
		if !ok {
			return dst, false
		}
		first = begin + s.FirstAt
		last = first + (n-1)*step
	} else {
		switch {
		case s.Last >= 0:
			last = first + s.Last
		case s.Limit <= 1:
			last = len(args) + s.Last
		default:
			last = first + (len(args)-first)/s.Limit + s.Last
		}
	}
	if last >= len(args) {
		return dst, false
	}
	for i := first; i <= last; i += step {
		dst = append(dst, KeyRef{i, s.Flags})
	}
	return dst, true
}

// smallCount parses a key count: 0 to 1 Mi (the most arguments a request can have).
func smallCount(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 7 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

func findKeyword(word string, from int, args [][]byte) int {
	if from < 0 {
		for i := len(args) + from; i > 0; i-- {
			if strings.EqualFold(word, string(args[i])) {
				return i + 1
			}
		}
		return -1
	}
	for i := from; i < len(args); i++ {
		if strings.EqualFold(word, string(args[i])) {
			return i + 1
		}
	}
	return -1
}
