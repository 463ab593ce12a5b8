package config

import (
	"errors"
	"fmt"
	"strings"
)

// value parses, holds and prints the setting of one directive. Its error texts are
// those of Redis 7.2 (config.c), since CONFIG SET shows them to clients.
type value interface {
	// set parses args and stores them; on error nothing has changed.
	set(args []string) error
	// text is what CONFIG GET shows.
	text() string
	// args is what set takes to come back to the value now.
	args() []string
	// domain describes what may be set, for the reference.
	domain() string
}

// liner is a value that CONFIG REWRITE writes otherwise than as one line of args.
type liner interface{ lines() [][]string }

// adder is a value to which a line of a file adds, but for the first one, which takes the
// default's place.
type adder interface{ add(args []string) error }

// takesSeveral reports whether v takes several arguments: CONFIG SET, which gets
// them in one string, cuts it at spaces for these.
func takesSeveral(v value) bool {
	switch v := v.(type) {
	case wordsValue, limitsValue, savePointsValue, endingValue:
		return true
	case onlyValue:
		return takesSeveral(v.inner)
	}
	return false
}

// redisError is a text that clients of Redis know, capitals and full stops included.
type redisError string

func (e redisError) Error() string { return string(e) }

var errArgCount = errors.New("wrong number of arguments")

func one(args []string) (string, error) {
	if len(args) != 1 {
		return "", errArgCount
	}
	return args[0], nil
}

// boolean is "yes" or "no".
type booleanValue struct{ dst *Bool }

func boolean(dst *Bool) value { return booleanValue{dst} }

func (v booleanValue) set(args []string) error {
	s, err := one(args)
	if err != nil {
		return err
	}
	switch {
	case strings.EqualFold(s, "yes"):
		v.dst.v.Store(true)
	case strings.EqualFold(s, "no"):
		v.dst.v.Store(false)
	default:
		return errors.New("argument must be 'yes' or 'no'")
	}
	return nil
}

func (v booleanValue) text() string {
	if v.dst.Get() {
		return "yes"
	}
	return "no"
}

func (v booleanValue) args() []string { return []string{v.text()} }
func (v booleanValue) domain() string { return "yes, no" }

// enumValue is one of a few words.
type enumValue struct {
	dst   *Text
	names []string
}

func enum(dst *Text, names ...string) value { return enumValue{dst, names} }

func (v enumValue) set(args []string) error {
	s, err := one(args)
	if err != nil {
		return err
	}
	for _, name := range v.names {
		if strings.EqualFold(name, s) {
			v.dst.v.Store(&name)
			return nil
		}
	}
	return errors.New("argument(s) must be one of the following: " + strings.Join(v.names, ", "))
}

func (v enumValue) text() string   { return v.dst.Get() }
func (v enumValue) args() []string { return []string{v.text()} }
func (v enumValue) domain() string { return strings.Join(v.names, ", ") }

// onlyValue accepts, of what inner accepts, the one value that is honoured.
type onlyValue struct {
	inner value
	want  string
	why   string
}

// only returns inner restricted to want; why completes "only X is supported: ".
func only(inner value, want, why string) value { return onlyValue{inner, want, why} }

func (v onlyValue) set(args []string) error {
	before := v.inner.args()
	if err := v.inner.set(args); err != nil {
		return err
	}
	if v.inner.text() == v.want {
		return nil
	}
	if err := v.inner.set(before); err != nil {
		// The zero value of an enum is none of its names; want always is.
		if err := v.inner.set([]string{v.want}); err != nil {
			return err
		}
	}
	return fmt.Errorf("only '%s' is supported: %s", v.want, v.why)
}

func (v onlyValue) text() string   { return v.inner.text() }
func (v onlyValue) args() []string { return v.inner.args() }
func (v onlyValue) domain() string { return "only `" + quoteEmpty(v.want) + "`" }

func (v onlyValue) lines() [][]string { return lines(v.inner) }

func lines(v value) [][]string {
	if l, ok := v.(liner); ok {
		return l.lines()
	}
	return [][]string{v.args()}
}

func quoteEmpty(s string) string {
	if s == "" {
		return `""`
	}
	return s
}
