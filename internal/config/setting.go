package config

import "sync/atomic"

// Int is an integer setting. It may be read at any time, also on the data path,
// while CONFIG SET changes it. Its unit is that of its directive.
type Int struct{ v atomic.Int64 }

// Get returns the value now.
func (i *Int) Get() int64 { return i.v.Load() }

// Bool is a yes-or-no setting, to be read at any time.
type Bool struct{ v atomic.Bool }

// Get returns the value now.
func (b *Bool) Get() bool { return b.v.Load() }

// Text is a setting of text, to be read at any time.
type Text struct{ v atomic.Pointer[string] }

// Get returns the value now.
func (t *Text) Get() string {
	if p := t.v.Load(); p != nil {
		return *p
	}
	return ""
}

// List is a setting of several words, to be read at any time.
type List struct{ v atomic.Pointer[[]string] }

// Get returns the words now. The slice is shared and must not be changed.
func (l *List) Get() []string {
	if p := l.v.Load(); p != nil {
		return *p
	}
	return nil
}

// OutputLimit bounds the output that may wait for one client.
type OutputLimit struct {
	HardBytes   int64 // at once; 0: no limit
	SoftBytes   int64 // for longer than SoftSeconds; 0: no limit
	SoftSeconds int64
}

// OutputLimits are the bounds of client-output-buffer-limit by class of client.
type OutputLimits struct {
	Normal, Replica, PubSub OutputLimit
}

// Limits is the setting client-output-buffer-limit, to be read at any time.
type Limits struct{ v atomic.Pointer[OutputLimits] }

// Get returns the limits now.
func (l *Limits) Get() OutputLimits {
	if p := l.v.Load(); p != nil {
		return *p
	}
	return OutputLimits{}
}
