package config

import "fmt"

// Effect says when a change of a directive takes effect.
type Effect uint8

const (
	// AtStart: read once at start; CONFIG SET refuses it.
	AtStart Effect = iota
	// AtOnce: whoever needs it reads it anew each time.
	AtOnce
	// Applied: CONFIG SET works once a component has said what to do then
	// (Config.OnChange); before that it is as AtStart.
	Applied
	// Inert: kept and shown; it tunes something that does not exist in this version
	// or that is done in another way, and promises nothing about data.
	Inert
	// Only: one value is accepted, the one that says what the server does.
	Only
	// Refused: known, never accepted, never shown.
	Refused
)

// directive is everything known about one line of redis.conf. See the files beside
// this one for the literals.
type directive struct {
	name   string
	alias  string // its other spelling, from before or after a renaming in Redis
	value  value
	def    string // as it would stand in redis.conf, for directives of several words with quotes where needed
	effect Effect
	help   string

	section string
	onSet   func() error // registered by OnChange
}

// The constructors below keep the tables of inert directives to one line
// an entry: such a value has no reader, so its storage has no name.
func inertBool() value                { return boolean(new(Bool)) }
func inertInt(min, max int64) value   { return integer(new(Int), min, max) }
func inertBytes() value               { return size(new(Int), 0, maxInt) }
func inertText() value                { return text(new(Text), nil) }
func inertEnum(names ...string) value { return enum(new(Text), names...) }
func inertWords(max int) value        { return words(new(List), max, nil) }
func onlyBool(want, why string) value { return only(inertBool(), want, why) }
func onlyText(want, why string) value { return only(inertText(), want, why) }
func onlyInt(want, why string) value  { return only(inertInt(-maxInt, maxInt), want, why) }

// maxWords bounds the words of one line.
const maxWords = 1024

const maxInt = 1<<63 - 1

// refusal is the value of a Refused directive.
type refusal struct{ why string }

func refuse(why string) value { return refusal{why} }

func (v refusal) set([]string) error { return fmt.Errorf("not supported: %s", v.why) }
func (v refusal) text() string       { return "" }
func (v refusal) args() []string     { return nil }
func (v refusal) domain() string     { return "refused" }

// mutable reports whether CONFIG SET may change d now.
func (d *directive) mutable() bool {
	switch d.effect {
	case AtOnce, Inert, Only:
		return true
	case Applied:
		return d.onSet != nil
	default:
		return false
	}
}
