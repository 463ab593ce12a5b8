package config

import (
	"path/filepath"
	"slices"
	"strings"
)

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
