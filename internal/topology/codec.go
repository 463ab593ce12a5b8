package topology

import (
	"encoding/json"
	"fmt"
)

// MaxEntryBytes bounds an encoded entry.
const MaxEntryBytes = 1 << 20

// envelope is an entry in the log: its kind, and the entry as JSON. JSON because
// the log is small, is read by people when something went wrong, and tolerates
// fields added by later versions (docs/format/topology.md).
type envelope struct {
	Kind  Kind            `json:"kind"`
	Entry json.RawMessage `json:"entry"`
}

// batchWire is a Batch with its entries as envelopes.
type batchWire struct {
	Header
	Entries []json.RawMessage `json:"entries"`
}

// decoders gives each kind its type. A switch would do; a table lets the tests
// walk all kinds.
var decoders = map[Kind]func([]byte) (Entry, error){
	KindFormCluster:      decodeAs[FormCluster],
	KindJoinNode:         decodeAs[JoinNode],
	KindUpdateNode:       decodeAs[UpdateNode],
	KindRemoveNode:       decodeAs[RemoveNode],
	KindSetVoters:        decodeAs[SetVoters],
	KindLead:             decodeAs[Lead],
	KindAssignSlots:      decodeAs[AssignSlots],
	KindSetReplicaOf:     decodeAs[SetReplicaOf],
	KindPromote:          decodeAs[Promote],
	KindShrinkInSync:     decodeAs[ShrinkInSync],
	KindGrowInSync:       decodeAs[GrowInSync],
	KindBeginMove:        decodeAs[BeginMove],
	KindCommitMove:       decodeAs[CommitMove],
	KindAbortMove:        decodeAs[AbortMove],
	KindOpenSlot:         decodeAs[SetOpenSlot],
	KindCloseSlot:        decodeAs[CloseSlot],
	KindBumpEpoch:        decodeAs[BumpEpoch],
	KindSetClusterConfig: decodeAs[SetClusterConfig],
}

func decodeAs[E Entry](data []byte) (Entry, error) {
	var e E
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	return e, nil
}

// EncodeEntry returns e as bytes for the log.
func EncodeEntry(e Entry) []byte {
	body := mustMarshal(e)
	if b, ok := e.(Batch); ok {
		wire := batchWire{Header: b.Header}
		for _, inner := range b.Entries {
			wire.Entries = append(wire.Entries, EncodeEntry(inner))
		}
		body = mustMarshal(wire)
	}
	return mustMarshal(envelope{e.Kind(), body})
}

// DecodeEntry reads what EncodeEntry wrote; anything else is ErrBadEntry.
func DecodeEntry(data []byte) (Entry, error) { return decodeEntry(data, true) }

func decodeEntry(data []byte, allowBatch bool) (Entry, error) {
	if len(data) > MaxEntryBytes {
		return nil, fmt.Errorf("entry of %d bytes: %w", len(data), ErrBadEntry)
	}
	var env envelope
	if err := json.Unmarshal(data, &env); err != nil {
		return nil, fmt.Errorf("%v: %w", err, ErrBadEntry)
	}
	if env.Kind == KindBatch && allowBatch {
		return decodeBatch(env.Entry)
	}
	decode := decoders[env.Kind]
	if decode == nil {
		return nil, fmt.Errorf("kind %.64q: %w", string(env.Kind), ErrBadEntry)
	}
	e, err := decode(env.Entry)
	if err != nil {
		return nil, fmt.Errorf("%s: %v: %w", env.Kind, err, ErrBadEntry)
	}
	return e, nil
}

func decodeBatch(data []byte) (Entry, error) {
	var wire batchWire
	if err := json.Unmarshal(data, &wire); err != nil {
		return nil, fmt.Errorf("batch: %v: %w", err, ErrBadEntry)
	}
	if len(wire.Entries) > maxBatch {
		return nil, fmt.Errorf("batch of %d: %w", len(wire.Entries), ErrBadEntry)
	}
	b := Batch{Header: wire.Header}
	for _, raw := range wire.Entries {
		e, err := decodeEntry(raw, false)
		if err != nil {
			return nil, err
		}
		b.Entries = append(b.Entries, e)
	}
	return b, nil
}

// EncodeView returns v as bytes for snapshots and the View stream. Equal Views have
// equal bytes.
func EncodeView(v *View) []byte { return mustMarshal(v) }

// DecodeView reads what EncodeView wrote and checks it, so that a View that came
// over the wire or from a disk holds its invariants.
func DecodeView(data []byte) (*View, error) {
	v := new(View)
	if err := json.Unmarshal(data, v); err != nil {
		return nil, fmt.Errorf("view: %v: %w", err, ErrBadEntry)
	}
	if err := v.Seal().Check(); err != nil {
		return nil, err
	}
	return v, nil
}

// mustMarshal encodes plain data of this package, which cannot fail.
func mustMarshal(x any) []byte {
	data, err := json.Marshal(x)
	if err != nil {
		panic("topology: " + err.Error())
	}
	return data
}
