package aof

import (
	"bytes"
	"errors"
)

// errStream is returned for a log that does not hold what logs hold: a bug.
var errStream = errors.New("aof: the effect log holds no requests")

// verb is what a request of the log is to the file.
type verb uint8

const (
	verbUnknown verb = iota // its name has not been seen yet
	verbEffect              // anything else: written as it is
	verbSelect
	verbMulti
	verbExec
	verbPing // carries the mark; not written
	verbDrop // not written
)

// verbs names the requests that are not effects: what the log inserts itself, and what is
// passed on to replicas alone.
var verbs = map[string]verb{
	"select": verbSelect, "multi": verbMulti, "exec": verbExec, "ping": verbPing,
	"replconf": verbDrop, "publish": verbDrop, "spublish": verbDrop,
}

// maxVerb is the longest name in verbs.
const maxVerb = 8

// splitter finds the ends and the names of requests in a stream of them that comes in
// pieces of any size. It looks at each byte of a header once and steps over bodies.
//
//	start --'*'--> count --'$'--> length --> body --> (length again) --> start
type splitter struct {
	phase splitPhase
	num   int64
	args  int64 // arguments still to come, the present one included
	body  int64 // bytes of the present body still to come, its line end included
	first bool  // the present argument is the name
	name  [maxVerb]byte
	named int // bytes of name
	verb  verb
}

type splitPhase uint8

const (
	splitStart splitPhase = iota
	splitCount
	splitDollar
	splitLength
	splitBody
)

// midway reports whether a part of a request has been taken.
func (s *splitter) midway() bool { return s.phase != splitStart }

// next takes bytes of one request off b: n of them. whole is set if they end it; s.verb
// tells what it is as soon as its name has been seen.
func (s *splitter) next(b []byte) (n int, whole bool, err error) {
	for n < len(b) {
		c := b[n]
		switch s.phase {
		case splitStart:
			if c != '*' {
				if c == '\r' || c == '\n' { // an empty line is a request of no words
					s.verb = verbDrop
					return n + 1, true, nil
				}
				return n, false, errStream
			}
			s.phase, s.num, s.verb = splitCount, 0, verbUnknown
			n++
		case splitCount, splitLength:
			n++
			switch {
			case c >= '0' && c <= '9':
				s.num = s.num*10 + int64(c-'0')
				if s.num > 1<<40 {
					return n, false, errStream
				}
			case c == '\r':
			case c != '\n':
				return n, false, errStream
			case s.phase == splitCount:
				if s.num == 0 {
					s.phase, s.verb = splitStart, verbDrop
					return n, true, nil
				}
				s.args, s.first, s.phase = s.num, true, splitDollar
			default:
				s.body, s.phase, s.named = s.num+2, splitBody, 0
				if s.first && s.num > maxVerb {
					s.verb = verbEffect
				}
			}
		case splitDollar:
			if c != '$' {
				return n, false, errStream
			}
			s.phase, s.num = splitLength, 0
			n++
		case splitBody:
			k := min(s.body, int64(len(b)-n))
			if s.first && s.verb == verbUnknown {
				s.named += copy(s.name[s.named:], b[n:n+int(k)])
			}
			s.body -= k
			n += int(k)
			if s.body > 0 {
				return n, false, nil
			}
			if s.first && s.verb == verbUnknown {
				s.verb = verbOf(s.name[:min(s.num, int64(s.named))])
			}
			s.first = false
			if s.args--; s.args == 0 {
				s.phase = splitStart
				return n, true, nil
			}
			s.phase = splitDollar
		}
	}
	return n, false, nil
}

func verbOf(name []byte) verb {
	var lower [maxVerb]byte
	if v, ok := verbs[string(append(lower[:0], bytes.ToLower(name)...))]; ok {
		return v
	}
	return verbEffect
}
