package command

import (
	"strconv"
	"strings"
	"sync/atomic"
)

// NotifyClass is a class of keyspace events, as notify-keyspace-events tells them apart
// (Redis 7.2, server.h, NOTIFY_*).
type NotifyClass uint16

const (
	NotifyGeneric  NotifyClass = 1 << iota // g: DEL, EXPIRE, RENAME, ...
	NotifyString                           // $
	NotifyList                             // l
	NotifySet                              // s
	NotifyHash                             // h
	NotifyZSet                             // z
	NotifyExpired                          // x
	NotifyEvicted                          // e
	NotifyStream                           // t
	NotifyKeyMiss                          // m
	NotifyNew                              // n
	notifyModule                           // d
	notifyKeyspace                         // K: messages on the key's channel
	notifyKeyevent                         // E: messages on the event's channel

	notifyAll = NotifyGeneric | NotifyString | NotifyList | NotifySet | NotifyHash | NotifyZSet |
		NotifyExpired | NotifyEvicted | NotifyStream | notifyModule
)

// classLetters are the letters of notify-keyspace-events, by bit.
const classLetters = "g$lshzxetmndKE"

// ParseNotifyClasses returns the classes that the letters of notify-keyspace-events
// name; others are passed over.
func ParseNotifyClasses(letters string) (m NotifyClass) {
	for _, letter := range letters {
		if letter == 'A' {
			m |= notifyAll
		} else if i := strings.IndexRune(classLetters, letter); i >= 0 {
			m |= 1 << i
		}
	}
	return m
}

// Events publishes what happens to keys. While nothing is asked for, an event costs one
// atomic load.
type Events struct {
	classes atomic.Uint32
	publish func(channel, payload []byte, offset int64)
}

// NewEvents returns Events of no class. publish sends a message to the subscribers of a
// channel and copies the bytes; it is called with the key's shard locked and never
// blocks.
func NewEvents(publish func(channel, payload []byte, offset int64)) *Events {
	return &Events{publish: publish}
}

// SetClasses says which events are published from now on: none unless K or E is among
// the classes.
func (e *Events) SetClasses(m NotifyClass) {
	if m&(notifyKeyspace|notifyKeyevent) == 0 {
		m = 0
	}
	e.classes.Store(uint32(m))
}

// Wanted reports whether events of class are published.
func (e *Events) Wanted(class NotifyClass) bool {
	return e != nil && e.classes.Load()&uint32(class) != 0
}

// Emit publishes an event of a wanted class. offset is what must be durable before
// anybody may hear of it. REQUIRES: the key's shard locked or owned.
func (e *Events) Emit(class NotifyClass, event string, db int, key []byte, offset int64) {
	m := NotifyClass(e.classes.Load())
	if m&class == 0 {
		return
	}
	var room [128]byte
	if m&notifyKeyspace != 0 {
		channel := append(strconv.AppendInt(append(room[:0], "__keyspace@"...), int64(db), 10), "__:"...)
		e.publish(append(channel, key...), []byte(event), offset)
	}
	if m&notifyKeyevent != 0 {
		channel := append(strconv.AppendInt(append(room[:0], "__keyevent@"...), int64(db), 10), "__:"...)
		e.publish(append(channel, event...), key, offset)
	}
}

// happened is an event that waits for the end of its command.
type happened struct {
	class NotifyClass
	event string
	db    int
	key   []byte
}

// Notify says that event has happened to the key at argument keyArg. It is called after
// the change, once an event, in Redis' order; it is published when the effects of the
// command, or of the EXEC it is part of, stand in the log.
func (c *Ctx) Notify(class NotifyClass, event string, keyArg int) {
	if c.Events.Wanted(class) {
		c.events = append(c.events, happened{class, event, c.DB.DB(), c.Args[keyArg]})
	}
}

// NotifyIn is Notify for a key of any database, which need not be an argument; its bytes
// are copied.
func (c *Ctx) NotifyIn(class NotifyClass, event string, db int, key []byte) {
	if c.Events.Wanted(class) {
		c.events = append(c.events, happened{class, event, db, append([]byte(nil), key...)})
	}
}

// Emit publishes the events of what has run, in order. offset is the log offset behind
// its effects. REQUIRES: its shards locked or owned.
func (c *Ctx) Emit(offset int64) {
	for i := range c.events {
		h := &c.events[i]
		c.Events.Emit(h.class, h.event, h.db, h.key, offset)
		*h = happened{}
	}
	c.events = c.events[:0]
}

// Eventful returns how many events wait for Emit.
func (c *Ctx) Eventful() int { return len(c.events) }

// ForgetEvents takes back all events but the first n: the command that they are of has
// changed nothing and is run again.
func (c *Ctx) ForgetEvents(n int) { c.events = c.events[:n] }

// listen has c.DB tell of the keys that it makes, where somebody wants to know. It is
// called once c.DB is set for a run.
func (c *Ctx) listen() {
	if c.Events.Wanted(NotifyNew) {
		c.DB.SetNews(func(db int, key []byte) { c.NotifyIn(NotifyNew, "new", db, key) })
	}
}
