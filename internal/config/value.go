package config

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
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

// takesSeveral reports whether v takes several arguments: CONFIG SET, which gets
// them in one string, cuts it at spaces for these.
func takesSeveral(v value) bool {
	switch v := v.(type) {
	case wordsValue, limitsValue:
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

// integerValue is a decimal number from min to max.
type integerValue struct {
	dst      *Int
	min, max int64
}

func integer(dst *Int, min, max int64) value { return integerValue{dst, min, max} }

func (v integerValue) set(args []string) error {
	s, err := one(args)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || s[0] == '+' {
		return errors.New("argument couldn't be parsed into an integer")
	}
	return v.store(n)
}

func (v integerValue) store(n int64) error {
	if n < v.min || n > v.max {
		return fmt.Errorf("argument must be between %d and %d inclusive", v.min, v.max)
	}
	v.dst.v.Store(n)
	return nil
}

func (v integerValue) text() string   { return strconv.FormatInt(v.dst.Get(), 10) }
func (v integerValue) args() []string { return []string{v.text()} }

func (v integerValue) domain() string {
	if v.max >= math.MaxInt32 {
		return fmt.Sprintf("integer, at least %d", v.min)
	}
	return fmt.Sprintf("integer, %d to %d", v.min, v.max)
}

// sizeValue is a size with an optional unit.
type sizeValue struct{ integerValue }

func size(dst *Int, min, max int64) value { return sizeValue{integerValue{dst, min, max}} }

func (v sizeValue) set(args []string) error {
	s, err := one(args)
	if err != nil {
		return err
	}
	n, ok := parseBytes(s)
	if !ok {
		return errors.New("argument must be a memory value")
	}
	return v.store(n)
}

func (v sizeValue) domain() string {
	if v.min > 0 {
		return "bytes, at least " + formatBytes(v.min)
	}
	return "bytes"
}

// lines prints the size with the largest unit that divides it.
func (v sizeValue) lines() [][]string { return [][]string{{formatBytes(v.dst.Get())}} }

// byteUnits are the units of redis.conf: powers of ten without b, of two with it.
var byteUnits = map[string]int64{
	"": 1, "b": 1, "k": 1e3, "kb": 1 << 10, "m": 1e6, "mb": 1 << 20, "g": 1e9, "gb": 1 << 30,
}

func parseBytes(s string) (int64, bool) {
	digits := strings.TrimRight(s, "bBkKmMgG")
	unit, ok := byteUnits[strings.ToLower(s[len(digits):])]
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 || digits[0] == '+' || n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}

func formatBytes(n int64) string {
	for _, unit := range []string{"gb", "mb", "kb"} {
		if size := byteUnits[unit]; n > 0 && n%size == 0 {
			return strconv.FormatInt(n/size, 10) + unit
		}
	}
	return strconv.FormatInt(n, 10)
}

// octalValue is a file mode.
type octalValue struct{ integerValue }

func octal(dst *Int, min, max int64) value { return octalValue{integerValue{dst, min, max}} }

func (v octalValue) set(args []string) error {
	s, err := one(args)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(s, 8, 64)
	if err != nil {
		return errors.New("argument couldn't be parsed as an octal number")
	}
	if n < v.min || n > v.max {
		return fmt.Errorf("argument must be between %o and %o inclusive", v.min, v.max)
	}
	return v.store(n)
}

func (v octalValue) text() string   { return strconv.FormatInt(v.dst.Get(), 8) }
func (v octalValue) args() []string { return []string{v.text()} }
func (v octalValue) domain() string { return fmt.Sprintf("octal, %o to %o", v.min, v.max) }

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

// textValue is any text that check, if set, accepts.
type textValue struct {
	dst   *Text
	check func(string) error
}

func text(dst *Text, check func(string) error) value { return textValue{dst, check} }

func (v textValue) set(args []string) error {
	s, err := one(args)
	if err != nil {
		return err
	}
	if v.check != nil {
		if err := v.check(s); err != nil {
			return err
		}
	}
	v.dst.v.Store(&s)
	return nil
}

func (v textValue) text() string   { return v.dst.Get() }
func (v textValue) args() []string { return []string{v.text()} }
func (v textValue) domain() string { return "text" }

// directoryValue is the name of a directory. A relative one is resolved when it is
// set, except ".", which is wherever the process works.
type directoryValue struct{ textValue }

func directory(dst *Text) value { return directoryValue{textValue{dst: dst}} }

func (v directoryValue) set(args []string) error {
	s, err := one(args)
	if err != nil {
		return err
	}
	if s != "." {
		if s, err = filepath.Abs(s); err != nil {
			return err
		}
	}
	v.dst.v.Store(&s)
	return nil
}

func (v directoryValue) text() string {
	if path, err := filepath.Abs(v.dst.Get()); err == nil {
		return path
	}
	return v.dst.Get()
}

func (v directoryValue) domain() string { return "path" }

// wordsValue is a list of words; check, if set, judges the whole.
type wordsValue struct {
	dst   *List
	max   int
	check func([]string) error
}

func words(dst *List, max int, check func([]string) error) value {
	return wordsValue{dst, max, check}
}

func (v wordsValue) set(args []string) error {
	list := slices.Clone(args)
	if len(list) == 1 && list[0] == "" {
		list = nil
	}
	if len(list) > v.max {
		return errArgCount
	}
	if v.check != nil {
		if err := v.check(list); err != nil {
			return err
		}
	}
	v.dst.v.Store(&list)
	return nil
}

func (v wordsValue) text() string { return strings.Join(v.dst.Get(), " ") }

func (v wordsValue) args() []string {
	if list := v.dst.Get(); len(list) > 0 {
		return list
	}
	return []string{""}
}

func (v wordsValue) domain() string { return "words" }

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
