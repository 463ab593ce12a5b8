package engine

// Limits bound the compact encodings of collections; past them a collection is kept in
// the form for big ones. They may change while the keyspace is used and then hold for
// what is changed from there on. Names and defaults are those of Redis' directives.
type Limits struct {
	HashEntries  int // hash-max-listpack-entries: fields
	HashValue    int // hash-max-listpack-value: bytes of a field or value
	ListSize     int // list-max-listpack-size: elements a node, or -1 to -5 for 4 to 64 KiB
	ListCompress int // list-compress-depth
	ListPlain    int // bytes of an element from which on it has a node alone; 0: where no listpack holds it (DEBUG QUICKLIST-PACKED-THRESHOLD)
	SetIntset    int // set-max-intset-entries: members
	SetEntries   int // set-max-listpack-entries: members
	SetValue     int // set-max-listpack-value: bytes of a member
	ZSetEntries  int // zset-max-listpack-entries: members
	ZSetValue    int // zset-max-listpack-value: bytes of a member

	StreamNodeBytes   int // stream-node-max-bytes, 0: no bound
	StreamNodeEntries int // stream-node-max-entries, 0: no bound
	HLLSparse         int // hll-sparse-max-bytes
}

// DefaultLimits returns Redis' defaults.
func DefaultLimits() Limits {
	return Limits{
		HashEntries: 512, HashValue: 64,
		ListSize:  -2,
		SetIntset: 512, SetEntries: 128, SetValue: 64,
		ZSetEntries: 128, ZSetValue: 64,
		StreamNodeBytes: 4096, StreamNodeEntries: 100,
		HLLSparse: 3000,
	}
}

// Limits returns the limits in force. They must not be changed.
func (k *Keyspace) Limits() *Limits { return k.limits.Load() }

// SetLimits changes the limits in force.
func (k *Keyspace) SetLimits(l Limits) { k.limits.Store(&l) }

// Limits returns the limits in force.
func (a *Access) Limits() *Limits { return a.k.Limits() }
