package keys

import (
	"bytes"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

func rename(c *command.Ctx) error {
	done, err := renameTo(c, false)
	if done {
		c.Out.OK()
	}
	return err
}

func renamenx(c *command.Ctx) error {
	done, err := renameTo(c, true)
	switch {
	case done:
		c.Out.Int(1)
	case err == nil:
		c.Out.Int(0)
	}
	return err
}

// renameTo renames the key at argument 1 to argument 2. done is false where onlyNew
// forbids it; renaming a key to itself is done without a change.
func renameTo(c *command.Ctx, onlyNew bool) (done bool, err error) {
	src, dst := c.Args[1], c.Args[2]
	ss, ds := c.Slot(1), c.Slot(2)
	if _, ok := c.DB.Find(ss, src); !ok {
		return false, resp.ErrNoSuchKey
	}
	if bytes.Equal(src, dst) {
		return !onlyNew, nil
	}
	// Looked up in any case: what has expired there is deleted, and said so, first.
	_, there := c.DB.Find(ds, dst)
	if there && onlyNew {
		return false, nil
	}
	if err := c.DB.Rename(ss, src, ds, dst); err != nil {
		return false, err
	}
	c.Changed(1)
	if there { // Redis deletes what was there and adds another key
		c.Notify(command.NotifyNew, "new", 2)
	}
	c.Notify(command.NotifyGeneric, "rename_from", 1)
	c.Notify(command.NotifyGeneric, "rename_to", 2)
	return true, nil
}

var (
	errCopyCluster = resp.NewError("ERR Copying to another database is not allowed in cluster mode")
	errMoveCluster = resp.NewError("ERR MOVE is not allowed in cluster mode")
)

func (h *handlers) copyKey(c *command.Ctx) error {
	db, replace, err := h.parseCopy(c)
	if err != nil {
		return err
	}
	if db == c.DB.DB() && bytes.Equal(c.Args[1], c.Args[2]) {
		return resp.ErrSameObject
	}
	r, ok := c.Read(1)
	if !ok {
		c.Out.Int(0)
		return nil
	}
	if c.Slow(1, r.Len()) {
		c.Hits--
		return command.ErrSlow
	}
	dst := c.In(db)
	_, there := dst.Find(c.Slot(2), c.Args[2])
	if there && !replace {
		c.Out.Int(0)
		return nil
	}
	if err := c.DB.Copy(c.Slot(1), c.Args[1], db, c.Slot(2), c.Args[2]); err != nil {
		return err
	}
	c.TouchIn(db, 2)
	if there { // Redis deletes what was there and adds another key
		c.NotifyIn(command.NotifyNew, "new", db, c.Args[2])
	}
	c.NotifyIn(command.NotifyGeneric, "copy_to", db, c.Args[2])
	c.Changed(1)
	c.Out.Int(1)
	return nil
}

func (h *handlers) parseCopy(c *command.Ctx) (db int, replace bool, err error) {
	db = c.DB.DB()
	for i := 3; i < len(c.Args); i++ {
		switch word := c.Args[i]; {
		case command.Is(word, "replace"):
			replace = true
		case command.Is(word, "db") && i+1 < len(c.Args):
			i++
			if db, err = h.database(c, i); err != nil {
				return 0, false, err
			}
		default:
			return 0, false, resp.ErrSyntax
		}
	}
	if h.Cluster && db != c.DB.DB() {
		return 0, false, errCopyCluster
	}
	return db, replace, nil
}

// clusterDatabases is the number of databases that a cluster's node admits to know
// before it refuses to use any but the first; Redis' default.
const clusterDatabases = 16

// database parses argument i as the number of a database.
func (h *handlers) database(c *command.Ctx, i int) (int, error) {
	n, err := c.Int32(i)
	if err != nil {
		return 0, err
	}
	known := c.Keyspace.Databases()
	if h.Cluster {
		known = clusterDatabases
	}
	if n < 0 || int(n) >= known {
		return 0, resp.ErrDBIndex
	}
	return int(n), nil
}

func (h *handlers) move(c *command.Ctx) error {
	if h.Cluster {
		return errMoveCluster
	}
	db, err := h.database(c, 2)
	if err != nil {
		return err
	}
	if db == c.DB.DB() {
		return resp.ErrSameObject
	}
	slot, key := c.Slot(1), c.Args[1]
	r, ok := c.DB.Find(slot, key)
	if !ok {
		c.Out.Int(0)
		return nil
	}
	dst := c.In(db)
	if _, there := dst.Find(slot, key); there {
		c.Out.Int(0)
		return nil
	}
	if c.Slow(1, r.Len()) {
		return command.ErrSlow
	}
	if err := c.DB.Copy(slot, key, db, slot, key); err != nil {
		return err
	}
	c.DB.Delete(slot, key)
	c.TouchIn(db, 1)
	c.Notify(command.NotifyGeneric, "move_from", 1)
	c.NotifyIn(command.NotifyGeneric, "move_to", db, key)
	c.Changed(1)
	c.Out.Int(1)
	return nil
}
