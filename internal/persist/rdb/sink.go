package rdb

// Sink takes the value of one key in the order in which it is read, so that a value of
// any size passes through in pieces. What it is given is validated and good until it
// returns; an error ends the reading and is returned by Reader.Value. One value uses one
// group of methods:
//
//	string      String
//	list        Elements and Element, in any mixture, from head to tail
//	set         Packed (KindSetIntset, KindSetListpack), or Member ...
//	sorted set  Packed (KindZSetListpack), or Scored ...
//	hash        Packed (KindHashListpack, KindHashTTLPack), or Field ...
//	stream      Node ..., Stream, { Group, Pending ..., { Consumer, Owned ... } }
//
// A packed value has no element twice. Of the others the sink must refuse what it has
// already, with ErrDuplicate.
type Sink interface {
	StreamSink

	String(b []byte) error
	// Packed gives a whole value as an intset or listpack, in the order and form in which
	// Redis keeps it in memory; of n elements, fields or members.
	Packed(k Kind, n int, b []byte) error
	// Elements gives the next elements of a list as a listpack with at least one.
	Elements(lp []byte) error
	Element(b []byte) error
	Member(b []byte) error
	// Scored gives a member with its score, which is not NaN.
	Scored(member []byte, score float64) error
	// Field gives a field with its value and expiry: Unix milliseconds, 0 for none.
	Field(field, value []byte, expireAt int64) error
}

// StreamSink takes a stream. Nodes come in the order of their ids, entries too.
type StreamSink interface {
	// Node gives entries as one listpack with its master entry (t_stream.c); first is the
	// id that the entries' ids are relative to.
	Node(first StreamID, lp []byte) error
	// Stream gives what the stream knows of itself, once, behind the nodes.
	Stream(s StreamInfo) error
	Group(name []byte, g GroupInfo) error
	// Pending gives an entry delivered to some consumer of the group named last.
	Pending(p PendingInfo) error
	Consumer(name []byte, c ConsumerInfo) error
	// Owned says that the consumer named last is the one of a pending entry; of each it is
	// said exactly once.
	Owned(id StreamID) error
}

// StreamID is the id of a stream's entry.
type StreamID struct{ MS, Seq uint64 }

// Less reports whether a comes before b.
func (a StreamID) Less(b StreamID) bool { return a.MS < b.MS || a.MS == b.MS && a.Seq < b.Seq }

// StreamInfo is what a stream holds besides its entries.
type StreamInfo struct {
	Length       uint64
	Last         StreamID // the highest id ever
	First        StreamID // the first entry that is there, 0-0: none
	MaxDeleted   StreamID
	EntriesAdded uint64
}

// GroupInfo is a consumer group.
type GroupInfo struct {
	Last        StreamID // delivered last
	EntriesRead int64    // -1: unknown
	Pending     uint64   // how many entries are pending
}

// PendingInfo is an entry that was delivered and not acknowledged.
type PendingInfo struct {
	ID          StreamID
	DeliveredAt int64 // Unix milliseconds
	Deliveries  uint64
}

// ConsumerInfo is a consumer of a group. Times are Unix milliseconds.
type ConsumerInfo struct {
	SeenAt   int64
	ActiveAt int64 // -1: never
	Pending  uint64
}

// Discard is a Sink that takes anything; reading into it validates.
type Discard struct{}

func (Discard) String([]byte) error                 { return nil }
func (Discard) Packed(Kind, int, []byte) error      { return nil }
func (Discard) Elements([]byte) error               { return nil }
func (Discard) Element([]byte) error                { return nil }
func (Discard) Member([]byte) error                 { return nil }
func (Discard) Scored([]byte, float64) error        { return nil }
func (Discard) Field(_, _ []byte, _ int64) error    { return nil }
func (Discard) Node(StreamID, []byte) error         { return nil }
func (Discard) Stream(StreamInfo) error             { return nil }
func (Discard) Group([]byte, GroupInfo) error       { return nil }
func (Discard) Pending(PendingInfo) error           { return nil }
func (Discard) Consumer([]byte, ConsumerInfo) error { return nil }
func (Discard) Owned(StreamID) error                { return nil }
