package serial

import (
	"bytes"
	"errors"
	"math"
	"net"
	"strconv"
	"time"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// The texts are those of Redis 7.2, cluster.c, migrateCommand.
var (
	errMigrateKeys    = resp.NewError("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string")
	errMigrateConnect = resp.NewError("IOERR error or timeout connecting to the client")
	errMigrateWrite   = resp.NewError("IOERR error or timeout writing to target instance")
	errMigrateRead    = resp.NewError("IOERR error or timeout reading from target instance")
)

const (
	// migrateTimeout is taken where none, or none that makes sense, is given.
	migrateTimeout = time.Second
	// migrateFirst is the first argument that may be an option.
	migrateFirst = 6
)

// migration is a request MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH
// password] [AUTH2 user password] [KEYS key ...].
type migration struct {
	addr          string
	db            int64
	timeout       time.Duration
	copy, replace bool
	auth          [][]byte
	first, behind int // arguments that are keys
}

// migrateKeys finds the keys (Redis 7.2, db.c, migrateGetKeys).
func migrateKeys(dst []command.KeyRef, args [][]byte) ([]command.KeyRef, bool) {
	if len(args) < migrateFirst {
		return dst, false
	}
	first, behind := 3, 4
	for i := migrateFirst; i < len(args); i++ {
		if command.Is(args[i], "keys") {
			if first, behind = i+1, len(args); len(args[3]) > 0 {
				return dst, true // the handler refuses it
			}
			break
		}
		i += authWords(args[i])
	}
	for i := first; i < behind; i++ {
		dst = append(dst, command.KeyRef{Arg: i, Flags: command.KeyRW | command.KeyAccess | command.KeyDelete})
	}
	return dst, true
}

// authWords returns how many words follow the option word.
func authWords(word []byte) int {
	switch {
	case command.Is(word, "auth"):
		return 1
	case command.Is(word, "auth2"):
		return 2
	}
	return 0
}

func parseMigrate(c *command.Ctx) (m migration, err error) {
	m.first, m.behind = 3, 4
options:
	for i := migrateFirst; i < len(c.Args); i++ {
		left := len(c.Args) - i - 1
		switch word := c.Args[i]; {
		case command.Is(word, "copy"):
			m.copy = true
		case command.Is(word, "replace"):
			m.replace = true
		case authWords(word) > 0:
			n := authWords(word)
			if left < n {
				return m, resp.ErrSyntax
			}
			m.auth = c.Args[i+1 : i+1+n]
			i += n
		case command.Is(word, "keys"):
			if len(c.Args[3]) != 0 {
				return m, errMigrateKeys
			}
			m.first, m.behind = i+1, len(c.Args)
			break options
		default:
			return m, resp.ErrSyntax
		}
	}
	millis, err := c.Int(5)
	if err != nil {
		return m, err
	}
	if m.db, err = c.Int(4); err != nil {
		return m, err
	}
	if m.timeout = time.Duration(min(millis, math.MaxInt32)) * time.Millisecond; m.timeout <= 0 {
		m.timeout = migrateTimeout
	}
	m.addr = net.JoinHostPort(string(c.Args[1]), string(c.Args[2]))
	return m, nil
}

// migrate moves keys to another server: it restores them there and, without COPY, deletes
// here what has arrived. The shards of the keys are owned meanwhile, so that nobody sees
// a key in both places or in none.
func (h *handlers) migrate(c *command.Ctx) error {
	m, err := parseMigrate(c)
	if err != nil {
		return err
	}
	var present []int
	for i := m.first; i < m.behind; i++ {
		if _, ok := c.DB.Peek(c.Slot(i), c.Args[i]); ok {
			present = append(present, i)
		}
	}
	if len(present) == 0 {
		c.Out.Simple("NOKEY")
		return nil
	}
	if !c.Owner {
		return command.ErrSlow
	}
	conn, err := net.DialTimeout("tcp", m.addr, m.timeout)
	if err != nil {
		return errMigrateConnect
	}
	defer conn.Close()
	t := transfer{m: &m, c: c, conn: conn, word: wordRestore}
	if h.Cluster {
		t.word = wordRestoreAsking
	}
	t.sync = h.SyncWrites != nil && h.SyncWrites()
	err = t.run(present)
	for _, i := range t.arrived {
		slot := slots.Of(c.Args[i])
		if m.copy || !c.DB.Delete(slot, c.Args[i]) {
			continue
		}
		c.Effect(slot, wordDel, c.Args[i])
		c.Notify(command.NotifyGeneric, "del", i)
		c.Changed(1)
	}
	if err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

// transfer is one exchange with the target.
type transfer struct {
	m       *migration
	c       *command.Ctx
	conn    net.Conn
	word    []byte
	sync    bool  // the target's replies are to wait for its in-sync copies
	arrived []int // arguments whose keys are at the target
	in      []byte
	refused error
}

// flushBytes is how much is gathered before it is sent.
const flushBytes = 64 << 10

// run sends the keys of the arguments given and reads what the target says. The first
// refusal is the reply; the keys that were not refused have arrived all the same.
func (t *transfer) run(args []int) error {
	var out []byte
	greetings := 1
	send := func(least int) error {
		if len(out) < least {
			return nil
		}
		t.conn.SetWriteDeadline(time.Now().Add(t.m.timeout))
		if _, err := t.conn.Write(out); err != nil {
			return errMigrateWrite
		}
		out = out[:0]
		return nil
	}
	if t.m.auth != nil {
		out = resp.AppendCommand(out, append([][]byte{[]byte("AUTH")}, t.m.auth...)...)
		greetings++
	}
	if t.sync {
		out = resp.AppendCommand(out, []byte("CLIENT"), []byte("WRITE-CONCERN"), []byte("SYNC"))
		greetings++
	}
	out = resp.AppendCommand(out, []byte("SELECT"), strconv.AppendInt(nil, t.m.db, 10))
	// Redis sends all at once, so that a refused SELECT lets the keys land elsewhere.
	if err := send(1); err != nil {
		return err
	}
	for range greetings {
		if ok, err := t.reply(); err != nil {
			return err
		} else if !ok {
			return t.refused
		}
	}
	var sent []int
	for _, i := range args {
		request, ok := t.restore(i)
		if !ok {
			continue
		}
		out = resp.AppendCommand(out, request...)
		sent = append(sent, i)
		if err := send(flushBytes); err != nil {
			return err
		}
	}
	if err := send(1); err != nil {
		return err
	}
	for _, i := range sent {
		ok, err := t.reply()
		if err != nil {
			return err
		}
		if ok {
			t.arrived = append(t.arrived, i)
		}
	}
	return t.refused
}

// restore returns the request that makes the key of an argument at the target; ok is
// false if it has expired meanwhile.
func (t *transfer) restore(i int) (request [][]byte, ok bool) {
	var b engine.Batch
	e, ok := t.c.DB.Entry(slots.Of(t.c.Args[i]), t.c.Args[i], &b)
	if !ok {
		return nil, false
	}
	ttl := int64(0)
	if e.ExpireAt != 0 {
		ttl = max(1, e.ExpireAt-t.c.Now())
	}
	request = [][]byte{t.word, e.Key, strconv.AppendInt(nil, ttl, 10), persist.Dump(nil, &e, true)}
	if t.m.replace {
		request = append(request, wordReplace)
	}
	return request, true
}

// reply reads one reply, a line, and reports whether it is no error. The first error is
// kept.
func (t *transfer) reply() (ok bool, err error) {
	line, err := t.line()
	if err != nil {
		return false, errMigrateRead
	}
	if line[0] != '-' {
		return true, nil
	}
	if t.refused == nil {
		t.refused = resp.NewError("ERR Target instance replied with error: " + line[1:])
	}
	return false, nil
}

var errLine = errors.New("serial: no line of a reply")

// maxLine bounds a reply's length.
const maxLine = 1024

func (t *transfer) line() (string, error) {
	for {
		if i := bytes.Index(t.in, []byte("\r\n")); i > 0 {
			line := string(t.in[:i])
			t.in = t.in[i+2:]
			return line, nil
		} else if i == 0 || len(t.in) > maxLine {
			return "", errLine
		}
		var room [maxLine]byte
		t.conn.SetReadDeadline(time.Now().Add(t.m.timeout))
		n, err := t.conn.Read(room[:])
		if t.in = append(t.in, room[:n]...); err != nil && n == 0 {
			return "", err
		}
	}
}
