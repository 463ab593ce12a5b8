package server

import (
	"net"
	"strconv"

	"github.com/redwingdb/redwing/internal/clock"
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/pubsub"
	"github.com/redwingdb/redwing/internal/resp"
)

// Texts of CLIENT. Source: Redis 7.2, networking.c.
var (
	errNoSuchClient = resp.NewError("ERR No such client")
	errClientID     = resp.NewError("ERR Invalid client ID")
	errKillID       = resp.NewError("ERR client-id should be greater than 0")
)

func runClientID(c *command.Ctx) error {
	c.Out.Int(int64(session(c).id))
	return nil
}

func runClientInfo(c *command.Ctx) error {
	c.Out.Verbatim("txt", string(append(session(c).appendInfo(nil), '\n')))
	return nil
}

func runClientGetName(c *command.Ctx) error {
	if name := session(c).name; name != "" {
		c.Out.BulkString(name)
	} else {
		c.Out.Null()
	}
	return nil
}

func runClientSetName(c *command.Ctx) error {
	if !plainName(c.Args[2]) {
		return errClientName
	}
	session(c).name = string(c.Args[2])
	c.Out.OK()
	return nil
}

func runClientSetInfo(c *command.Ctx) error {
	s := session(c)
	var dst *string
	switch {
	case command.Is(c.Args[2], "lib-name"):
		dst = &s.libName
	case command.Is(c.Args[2], "lib-ver"):
		dst = &s.libVer
	default:
		return resp.NewError("ERR Unrecognized option '" + oneLine(c.Args[2]) + "'")
	}
	if !plainName(c.Args[3]) {
		return resp.NewError("ERR " + oneLine(c.Args[2]) + " cannot contain spaces, newlines or special characters.")
	}
	*dst = string(c.Args[3])
	c.Out.OK()
	return nil
}

func runClientNoEvict(c *command.Ctx) error {
	switch {
	case command.Is(c.Args[2], "on"):
		session(c).noEvict = true
	case command.Is(c.Args[2], "off"):
		session(c).noEvict = false
	default:
		return resp.ErrSyntax
	}
	c.Out.OK()
	return nil
}

func runClientReply(c *command.Ctx) error {
	s := session(c)
	switch {
	case command.Is(c.Args[2], "on"):
		s.replies = replyOn
		c.Out.OK()
	case command.Is(c.Args[2], "off"):
		s.replies = replyOff
	case command.Is(c.Args[2], "skip"):
		if s.replies != replyOff {
			s.replies = replySkip
		}
	default:
		return resp.ErrSyntax
	}
	return nil
}

// clientKind is a TYPE of CLIENT LIST and CLIENT KILL.
type clientKind uint8

const (
	anyKind clientKind = iota
	normalKind
	pubSubKind
	replicaKind
	primaryKind
)

func parseKind(b []byte) (clientKind, error) {
	switch {
	case command.Is(b, "normal"):
		return normalKind, nil
	case command.Is(b, "pubsub"):
		return pubSubKind, nil
	case command.Is(b, "replica"), command.Is(b, "slave"):
		return replicaKind, nil
	case command.Is(b, "master"):
		return primaryKind, nil
	}
	return anyKind, resp.NewError("ERR Unknown client type '" + oneLine(b) + "'")
}

// has reports whether s is of the kind. The caller is its owner.
func (k clientKind) has(s *Session) bool {
	return k == anyKind || k == normalKind && !s.subscribes || k == pubSubKind && s.subscribes
}

func (k clientKind) hasLink(l *Link) bool {
	return k == anyKind || k == replicaKind && !l.Primary || k == primaryKind && l.Primary
}

// runClientList runs off-loop, since it becomes the owner of one session after the
// other.
func runClientList(c *command.Ctx) error {
	self := session(c)
	kind := anyKind
	var ids map[uint64]bool // nil: all
	switch args := c.Args; {
	case len(args) == 2:
	case len(args) == 4 && command.Is(args[2], "type"):
		var err error
		if kind, err = parseKind(args[3]); err != nil {
			return err
		}
	case len(args) > 3 && command.Is(args[2], "id"):
		ids = make(map[uint64]bool)
		for _, a := range args[3:] {
			id, ok := command.ParseInt(a)
			if !ok {
				return errClientID
			}
			ids[uint64(id)] = true // a negative one is nobody's
		}
	default:
		return resp.ErrSyntax
	}
	var text []byte
	for _, s := range self.srv.sessions() {
		s.conn.Do(func() {
			if kind.has(s) && (ids == nil || ids[s.id]) {
				text = append(s.appendInfo(text), '\n')
			}
		})
	}
	for _, l := range self.srv.links() {
		if kind.hasLink(&l) && (ids == nil || ids[l.ID]) {
			text = append(l.appendInfo(text), '\n')
		}
	}
	c.Out.Verbatim("txt", string(text))
	return nil
}

// killFilter says which clients CLIENT KILL means.
type killFilter struct {
	id          uint64
	addr, laddr string
	user        string
	skipMe      bool
	kind        clientKind
}

func (s *Session) parseKill(args [][]byte) (f killFilter, err error) {
	f.skipMe = true
	if len(args)%2 != 0 {
		return f, resp.ErrSyntax
	}
	for ; len(args) > 0; args = args[2:] {
		word, value := args[0], args[1]
		switch {
		case command.Is(word, "id"):
			id, ok := command.ParseInt(value)
			if !ok || id < 1 {
				return f, errKillID
			}
			f.id = uint64(id)
		case command.Is(word, "type"):
			if f.kind, err = parseKind(value); err != nil {
				return f, err
			}
		case command.Is(word, "addr"):
			f.addr = string(value)
		case command.Is(word, "laddr"):
			f.laddr = string(value)
		case command.Is(word, "user"):
			if f.user = string(value); f.user != "default" {
				return f, resp.NewError("ERR No such user '" + oneLine(value) + "'")
			}
		case command.Is(word, "skipme") && command.Is(value, "yes"):
			f.skipMe = true
		case command.Is(word, "skipme") && command.Is(value, "no"):
			f.skipMe = false
		default:
			return f, resp.ErrSyntax
		}
	}
	return f, nil
}

// runClientKill runs off-loop, since it becomes the owner of one session after the
// other.
func runClientKill(c *command.Ctx) error {
	self := session(c)
	if len(c.Args) == 3 {
		if self.kills(killFilter{addr: string(c.Args[2])}) == 0 {
			return errNoSuchClient
		}
		c.Out.OK()
		return nil
	}
	f, err := self.parseKill(c.Args[2:])
	if err != nil {
		return err
	}
	c.Out.Int(int64(self.kills(f)))
	return nil
}

// kills closes the sessions that f means and returns how many they were. The one that
// asks gets its reply first.
func (s *Session) kills(f killFilter) (n int) {
	for _, other := range s.srv.sessions() {
		if f.skipMe && other == s || f.id != 0 && f.id != other.id ||
			f.addr != "" && f.addr != other.peerText() ||
			f.laddr != "" && f.laddr != addrText(other.conn.LocalAddr()) {
			continue
		}
		other.conn.Do(func() {
			if f.user != "" && (!other.authed || f.user != other.user) || !f.kind.has(other) {
				return
			}
			n++
			if other == s {
				s.ending = true
				return
			}
			other.kill()
		})
	}
	return n + s.srv.killLinks(f)
}

// appendInfo appends the line of CLIENT INFO and CLIENT LIST. The caller is the owner.
func (s *Session) appendInfo(dst []byte) []byte {
	now := clock.Mono()
	text := func(name, value string) {
		dst = append(append(append(dst, name...), '='), value...)
		dst = append(dst, ' ')
	}
	number := func(name string, v int64) {
		dst = append(append(dst, name...), '=')
		dst = append(strconv.AppendInt(dst, v, 10), ' ')
	}
	flags := ""
	if s.wait == blocked {
		flags += "b"
	}
	if s.subscribes {
		flags += "P"
	}
	if s.tx.open {
		flags += "x"
	}
	if s.noEvict {
		flags += "e"
	}
	if s.readonly {
		flags += "r"
	}
	if _, unix := s.conn.RemoteAddr().(*net.UnixAddr); unix {
		flags += "U"
	}
	if flags == "" {
		flags = "N"
	}
	multi := int64(-1)
	if s.tx.open {
		multi = int64(len(s.tx.cmds))
	}
	cmd := "NULL"
	if s.spec != nil {
		cmd = s.spec.FullName()
	}
	proto := int64(2)
	if s.out.w.RESP3 {
		proto = 3
	}
	qbuf, obl := int64(s.in.w-s.in.r), int64(s.out.pending())
	number("id", int64(s.id))
	text("addr", s.peerText())
	text("laddr", addrText(s.conn.LocalAddr()))
	number("fd", int64(s.conn.FD()))
	text("name", s.name)
	number("age", (now-s.born)/1e9)
	number("idle", (now-s.seen)/1e9)
	text("flags", flags)
	number("db", int64(s.db))
	number("sub", int64(len(s.subs[pubsub.Channel])))
	number("psub", int64(len(s.subs[pubsub.Pattern])))
	number("ssub", int64(len(s.subs[pubsub.Shard])))
	number("multi", multi)
	number("qbuf", qbuf)
	number("qbuf-free", int64(len(s.in.buf)-s.in.w))
	number("argv-mem", int64(s.argLen))
	number("multi-mem", int64(s.tx.bytes))
	number("rbs", int64(cap(s.out.w.Buf)))
	number("rbp", 0)
	number("obl", obl)
	number("oll", 0)
	number("omem", 0)
	number("tot-mem", int64(len(s.in.buf)+cap(s.out.w.Buf)+s.tx.bytes))
	text("events", "r")
	text("cmd", cmd)
	text("user", s.user)
	number("redir", -1)
	number("resp", proto)
	text("lib-name", s.libName)
	dst = append(append(dst, "lib-ver="...), s.libVer...)
	return dst
}

// peerText is the client's address; one of a unix socket is known by the server's.
func (s *Session) peerText() string {
	if _, unix := s.conn.RemoteAddr().(*net.UnixAddr); unix {
		return addrText(s.conn.LocalAddr())
	}
	return addrText(s.conn.RemoteAddr())
}

// addrText is an address as CLIENT LIST shows it; a unix socket is path:0.
func addrText(addr net.Addr) string {
	switch a := addr.(type) {
	case nil:
		return ""
	case *net.UnixAddr:
		return a.Name + ":0"
	}
	return addr.String()
}

func runClientHelp(c *command.Ctx) error {
	c.Out.Array(len(clientHelp))
	for _, line := range clientHelp {
		c.Out.Simple(line)
	}
	return nil
}

var clientHelp = [...]string{
	"CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
	"GETNAME",
	"    Return the name of the current connection.",
	"ID",
	"    Return the ID of the current connection.",
	"INFO",
	"    Return information about the current client connection.",
	"KILL <ip:port>",
	"    Kill connection made from <ip:port>.",
	"KILL <option> <value> [<option> <value> [...]]",
	"    Kill connections. Options are:",
	"    * ADDR (<ip:port>|<unixsocket>:0)",
	"      Kill connections made from the specified address",
	"    * LADDR (<ip:port>|<unixsocket>:0)",
	"      Kill connections made to specified local address",
	"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
	"      Kill connections by type.",
	"    * USER <username>",
	"      Kill connections authenticated by <username>.",
	"    * SKIPME (YES|NO)",
	"      Skip killing current connection (default: yes).",
	"LIST [options ...]",
	"    Return information about client connections. Options:",
	"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
	"      Return clients of specified type.",
	"PAUSE <timeout> [WRITE|ALL]",
	"    Suspend all, or just write, clients for <timeout> milliseconds.",
	"REPLY (ON|OFF|SKIP)",
	"    Control the replies sent to the current connection.",
	"UNBLOCK <clientid> [TIMEOUT|ERROR]",
	"    Unblock the specified blocked client.",
	"WRITE-CONCERN [SYNC|ASYNC]",
	"    Have replies wait for all in-sync copies, or not; without a word return which.",
	"UNPAUSE",
	"    Stop the current client pause, resuming traffic.",
	"SETNAME <name>",
	"    Assign the name <name> to the current connection.",
	"SETINFO <option> <value>",
	"    Set client meta attr. Options are:",
	"    * LIB-NAME: the client lib name.",
	"    * LIB-VER: the client lib version.",
	"NO-EVICT (ON|OFF)",
	"    Protect current client connection from eviction.",
	"HELP",
	"    Prints this help.",
}
