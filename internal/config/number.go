package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

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
	n, ok := ParseBytes(s)
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

// ParseBytes reads a size as redis.conf writes it, false for what is none.
func ParseBytes(s string) (int64, bool) {
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
