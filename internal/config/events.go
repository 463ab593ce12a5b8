package config

import "strings"

// Letters of notify-keyspace-events (Redis 7.2, notify.c): those that A stands for in
// the order in which they are shown, and the others.
const (
	eventsAll   = "g$lshzxetd"
	eventsOrder = eventsAll + "n"
)

// redisText is an error in Redis' own words.
type redisText string

func (t redisText) Error() string { return string(t) }

const errEventClass = redisText("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")

// eventsValue is notify-keyspace-events. The letters are kept as they were given and
// shown as Redis shows them: with A for all that it stands for, which hides n.
type eventsValue struct{ dst *Text }

func events(dst *Text) value { return eventsValue{dst} }

func (v eventsValue) set(args []string) error {
	s, err := one(args)
	if err != nil {
		return err
	}
	if strings.Trim(s, "A"+eventsOrder+"KEm") != "" {
		return errEventClass
	}
	v.dst.v.Store(&s)
	return nil
}

func (v eventsValue) text() string {
	given := strings.ReplaceAll(v.dst.Get(), "A", eventsAll)
	var out strings.Builder
	count := func(letters string) (n int) {
		for _, letter := range letters {
			if strings.ContainsRune(given, letter) {
				n++
			}
		}
		return n
	}
	write := func(letters string) {
		for _, letter := range letters {
			if strings.ContainsRune(given, letter) {
				out.WriteRune(letter)
			}
		}
	}
	if count(eventsAll) == len(eventsAll) {
		out.WriteByte('A')
	} else {
		write(eventsOrder)
	}
	write("KEm")
	return out.String()
}

func (v eventsValue) args() []string { return []string{v.text()} }
func (v eventsValue) domain() string { return `letters of "Ag$lshzxeKEtmdn"` }
