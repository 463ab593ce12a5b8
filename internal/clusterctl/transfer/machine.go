package transfer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/command"
	hash "github.com/redwingdb/redwing/internal/slots"
)

// Machine turns the stream of one source into operations on keys of a cluster. It has no
// connection, clock or goroutine: requests of the stream in, operations out.
//
// A key is clean, and then the target has what the source had at Position, once all that
// was emitted is carried out; or it is dirty, and nothing is emitted for it until Refresh
// has brought what the source had at a later offset, and the stream has come there:
//
//	clean --no counterpart, or the target refused (Dirty)--> dirty
//	  ^---- Position reaches the offset of a Refresh --------'
//
// What a command writes from a dirty key becomes dirty too.
type Machine struct {
	// Table knows where the keys of commands stand.
	Table *command.Table
	// DB is the database of the source that is copied; the others are passed over.
	DB int
	// Keys finds the keys of commands that Table does not know. Its error ends the stream.
	Keys func(args [][]byte) ([][]byte, error)
	// Emit takes the operations, in order. What is in them is good until it returns.
	Emit func(Op) error
	// Wrote, if it is not nil, hears of every key before an operation that writes it.
	Wrote func(key []byte)
	// Own, if it is not nil, reports whether a request is the source's own: the end of what
	// has expired. Those count as no writes.
	Own func(name string, args [][]byte) (bool, error)
	// Expiries decides what expiries keys get.
	Expiries *Expiries

	db      int // selected in the stream, -1: none yet
	pos     int64
	inTx    bool
	writes  int64
	ends    int64
	dirty   map[string]*dirtyKey
	waiting []refresh // by offset
	refs    []command.KeyRef
}

// dirtyKey is what is known of a dirty key.
type dirtyKey struct {
	asked bool // a refresh is waiting for its offset
}

type refresh struct {
	offset int64
	key    string
	emit   func() error
}

// NewMachine returns a machine for a stream that begins at offset in no database.
func NewMachine(offset int64) *Machine {
	return &Machine{pos: offset, db: -1, dirty: map[string]*dirtyKey{}, Expiries: &Expiries{}}
}

// SelectDB says which database the stream has selected at its beginning.
func (m *Machine) SelectDB(db int) { m.db = db }

// Position returns the offset behind the last request.
func (m *Machine) Position() int64 { return m.pos }

// Writes returns the number of requests so far that concerned the copied database.
func (m *Machine) Writes() int64 { return m.writes }

// Ends returns the number of those that Own has taken for the source's own.
func (m *Machine) Ends() int64 { return m.ends }

// Request takes the next request of the stream, of so many bytes. args may be empty.
func (m *Machine) Request(args [][]byte, bytes int) error {
	err := m.request(args)
	m.pos += int64(bytes)
	if err != nil {
		return err
	}
	return m.settle()
}

// passedOver are requests of a stream that concern no key.
var passedOver = []string{"ping", "replconf", "publish", "spublish", "script", "function"}

func (m *Machine) request(args [][]byte) error {
	if len(args) == 0 {
		return nil
	}
	name := strings.ToLower(string(args[0]))
	switch {
	case name == "multi":
		m.inTx = true
		return nil
	case name == "exec":
		m.inTx = false
		return nil
	case name == "select":
		if len(args) != 2 {
			return fmt.Errorf("the stream has a SELECT of %d words", len(args))
		}
		db, err := strconv.Atoi(string(args[1]))
		if err != nil {
			return fmt.Errorf("the stream selects database %.20q", args[1])
		}
		m.db = db
		return nil
	case slices.Contains(passedOver, name):
		return nil
	case m.db < 0:
		return fmt.Errorf("the stream has %q before any SELECT", name)
	}
	return m.effect(name, args)
}

// effect takes a request that may change keys.
func (m *Machine) effect(name string, args [][]byte) error {
	switch name {
	case "flushall":
		return fmt.Errorf("%w (FLUSHALL)", ErrEmptied)
	case "flushdb":
		if m.db == m.DB {
			return fmt.Errorf("%w (FLUSHDB)", ErrEmptied)
		}
		return nil
	case "swapdb":
		own := strconv.Itoa(m.DB)
		if len(args) == 3 && (string(args[1]) == own || string(args[2]) == own) {
			return fmt.Errorf("%w (SWAPDB)", ErrEmptied)
		}
		return nil
	case "move", "copy":
		if m.between(name, args) {
			return nil
		}
	}
	if m.db != m.DB {
		return nil
	}
	if err := m.count(name, args); err != nil {
		return err
	}
	keys, known, err := m.keysOf(args)
	if err != nil {
		return err
	}
	x := expiryIn(name, args)
	if known && !x.relative && m.straight(keys) {
		return m.send(name, x, args, keys)
	}
	if known && m.split(name) {
		return m.parts(name, args, keys)
	}
	for _, k := range keys {
		if k.written {
			m.markDirty(string(k.key))
		}
	}
	return nil
}

// count counts a request that concerns the copied database.
func (m *Machine) count(name string, args [][]byte) error {
	if m.Own != nil {
		own, err := m.Own(name, args)
		if own {
			m.ends++
		}
		if own || err != nil {
			return err
		}
	}
	m.writes++
	return nil
}

// key is a key of a request.
type key struct {
	key     []byte
	written bool
}

// keysOf finds the keys of a request. known: it is one that the target knows too.
func (m *Machine) keysOf(args [][]byte) (keys []key, known bool, err error) {
	spec, unknown := m.Table.Resolve(args)
	if unknown == nil {
		var ok bool
		if m.refs, ok = spec.AppendKeys(m.refs[:0], args); ok && len(m.refs) > 0 {
			const reads = command.KeyRO
			for _, r := range m.refs {
				keys = append(keys, key{args[r.Arg], r.Flags&reads == 0})
			}
			return keys, true, nil
		}
	}
	list, err := m.Keys(args)
	if err != nil {
		return nil, false, fmt.Errorf("the stream has %.40q, whose keys are not known: %w", args[0], err)
	}
	for _, k := range list {
		keys = append(keys, key{k, true})
	}
	return keys, false, nil
}

// straight reports whether a request can be sent as it is: its keys are of one slot, and
// none is dirty.
func (m *Machine) straight(keys []key) bool {
	slot := hash.Of(keys[0].key)
	for _, k := range keys {
		if hash.Of(k.key) != slot || m.dirty[string(k.key)] != nil {
			return false
		}
	}
	return true
}

// send emits a request whose keys are of one slot.
func (m *Machine) send(name string, x expiry, args [][]byte, keys []key) error {
	if name == "msetnx" { // the stream has it only where it has set them
		args = append([][]byte{word("MSET")}, args[1:]...)
	}
	if x.arg != 0 {
		var ok bool
		if args, ok = x.moved(m.Expiries, args); !ok {
			m.markDirty(string(keys[0].key))
			return nil
		}
	}
	op := Op{Args: args, Keys: make([][]byte, len(keys))}
	for i, k := range keys {
		op.Keys[i] = k.key
		if k.written {
			m.wrote(k.key)
		}
	}
	m.Expiries.remember(name, op.Keys)
	return m.Emit(op)
}

func (m *Machine) wrote(key []byte) {
	if m.Wrote != nil {
		m.Wrote(key)
	}
}

// split reports whether a command is the same as one for each of its keys.
func (m *Machine) split(name string) bool {
	switch name {
	case "del", "unlink", "mset", "msetnx":
		return true
	}
	return false
}

// parts emits a request key by key, past those that are dirty.
func (m *Machine) parts(name string, args [][]byte, keys []key) error {
	for i, k := range keys {
		if m.dirty[string(k.key)] != nil {
			continue
		}
		op := Op{Keys: [][]byte{k.key}, Args: [][]byte{args[0], k.key}}
		if name == "mset" || name == "msetnx" {
			op.Args = [][]byte{word("SET"), k.key, args[2+2*i]}
		}
		m.wrote(k.key)
		if err := m.Emit(op); err != nil {
			return err
		}
	}
	return nil
}

// between takes MOVE and COPY if they concern two databases.
func (m *Machine) between(name string, args [][]byte) bool {
	to, target := m.db, []byte(nil)
	if name == "move" && len(args) == 3 {
		target = args[1]
		to = database(args[2])
	} else if name == "copy" && len(args) > 3 {
		target = args[2]
		for i := 3; i+1 < len(args); i++ {
			if command.Is(args[i], "db") {
				to = database(args[i+1])
			}
		}
	}
	if to == m.db {
		return false
	}
	if to == m.DB || name == "move" && m.db == m.DB {
		m.writes++
		m.markDirty(string(target))
	}
	return true
}

func database(text []byte) int {
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return -1
	}
	return n
}

func (m *Machine) markDirty(key string) {
	if m.dirty[key] == nil {
		m.dirty[key] = &dirtyKey{}
	}
}

// Dirty says that the target may not have what was emitted for a key.
func (m *Machine) Dirty(key []byte) { m.markDirty(string(key)) }

// DirtyKeys returns the number of dirty keys.
func (m *Machine) DirtyKeys() int { return len(m.dirty) }

// Unasked returns up to most dirty keys for which no Refresh is waiting.
func (m *Machine) Unasked(most int) []string {
	var out []string
	for k, d := range m.dirty {
		if len(out) == most {
			break
		}
		if !d.asked {
			out = append(out, k)
		}
	}
	return out
}

// Refresh says that emit writes what the source has for a dirty key at offset, which is
// at or behind Position and between two requests that are not of one MULTI block.
func (m *Machine) Refresh(key string, offset int64, emit func() error) error {
	d := m.dirty[key]
	if d == nil || d.asked {
		return fmt.Errorf("refresh of key %.64q, which is not asked for", key)
	}
	if offset < m.pos {
		return fmt.Errorf("refresh of key %.64q at offset %d, the stream is at %d", key, offset, m.pos)
	}
	d.asked = true
	at, _ := slices.BinarySearchFunc(m.waiting, offset, func(r refresh, o int64) int {
		if r.offset <= o {
			return -1
		}
		return 1
	})
	m.waiting = slices.Insert(m.waiting, at, refresh{offset, key, emit})
	return m.settle()
}

// settle emits the refreshes whose offset is reached.
func (m *Machine) settle() error {
	for len(m.waiting) > 0 && m.waiting[0].offset <= m.pos {
		r := m.waiting[0]
		if r.offset < m.pos || m.inTx {
			return fmt.Errorf("key %.64q was read at offset %d, which is within a request of the stream", r.key, r.offset)
		}
		m.waiting = m.waiting[1:]
		delete(m.dirty, r.key)
		if err := r.emit(); err != nil {
			return err
		}
	}
	return nil
}
