package clusterctl

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/redwingdb/redwing/internal/clusterctl/transfer"
	"github.com/redwingdb/redwing/internal/slots"
)

// restoreKey is in the cluster while a restore is under way: a hash that says of which
// backup and how, and which values are half-written. A restore that was interrupted leaves
// it, and the same restore goes on by it.
//
//	backup      Manifest.id
//	mode        RestoreOptions.mode
//	begun:KEY   the value of KEY is being written in parts
const (
	restoreKey  = "redwing-restore"
	markBackup  = "backup"
	markMode    = "mode"
	markBegun   = "begun:"
	modeEmpty   = "" // into an empty cluster
	modeMerge   = "--merge"
	modeReplace = "--merge --replace"
)

// restoreMark is what restoreKey says.
type restoreMark struct {
	backup, mode string
	begun        map[string]bool // by key
}

// mode returns the flags that tell one way of restoring from another.
func (o RestoreOptions) mode() string {
	switch {
	case o.Replace:
		return modeReplace
	case o.Merge:
		return modeMerge
	}
	return modeEmpty
}

// id tells backups apart.
func (m *Manifest) id() string {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // it consists of texts, numbers and a time
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// restoreMark reads restoreKey; nil if it is not there.
func (c *Conns) restoreMark(ctx context.Context, st *State) (*restoreMark, error) {
	slot := slots.Of([]byte(restoreKey))
	for _, n := range st.Primaries() {
		if !n.Slots.Has(slot) {
			continue
		}
		all, err := c.client(dialAddr(n.Addr)).HGetAll(ctx, restoreKey).Result()
		if err != nil {
			return nil, fmt.Errorf("%s: key %s: %w", n.Addr, restoreKey, err)
		}
		if all[markBackup] == "" {
			return nil, nil
		}
		m := &restoreMark{all[markBackup], all[markMode], map[string]bool{}}
		for name := range all {
			if key, ok := strings.CutPrefix(name, markBegun); ok {
				m.begun[key] = true
			}
		}
		return m, nil
	}
	return nil, nil
}

// mayFollow says why a restore with options o may not go on from what m tells; "" if it may.
func (m *restoreMark) mayFollow(id string, o RestoreOptions) string {
	mode := o.mode()
	switch {
	case m.backup != id:
		return "the restore of another backup into this cluster was interrupted: run that one again, or empty the cluster (FLUSHALL on each primary)"
	case mode == m.mode, mode == modeReplace, mode == modeMerge && m.mode == modeEmpty:
		return ""
	}
	return fmt.Sprintf("a restore of this backup with %s was interrupted: run it with that again", m.mode)
}

// marking writes restoreKey.
type marking struct {
	sender *transfer.Sender
	id     string
	mode   string
}

func (m *marking) do(args ...string) error {
	op := transfer.Op{Keys: [][]byte{[]byte(restoreKey)}}
	for _, a := range args {
		op.Args = append(op.Args, []byte(a))
	}
	_, err := m.sender.Call(op)
	return err
}

// begin says that the restore is under way.
func (m *marking) begin() error {
	return m.do("HSET", restoreKey, markBackup, m.id, markMode, m.mode)
}

// open says that key is being written in parts; whole that it is there.
func (m *marking) open(key []byte) error {
	return m.do("HSET", restoreKey, markBackup, m.id, markMode, m.mode, markBegun+string(key), "1")
}

func (m *marking) whole(key []byte) error { return m.do("HDEL", restoreKey, markBegun+string(key)) }

// end says that the restore is done.
func (m *marking) end() error { return m.do("DEL", restoreKey) }
