package server

import (
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

// redisVersion is what clients are told that look at it.
const redisVersion = "7.2.4"

// Texts of these commands. Source: Redis 7.2, acl.c, networking.c and db.c.
var (
	errNoPassword = resp.NewError("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
	errHelloAuth  = resp.NewError("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
	errHelloVer   = resp.NewError("ERR Protocol version is not an integer or out of range")
	errClientName = resp.NewError("ERR Client names cannot contain spaces, newlines or special characters.")
	errInt32      = resp.NewError("ERR value is out of range, value must between -2147483648 and 2147483647")
)

func runAuth(c *command.Ctx) error {
	s := session(c)
	user, pass := []byte("default"), c.Args[1]
	switch len(c.Args) {
	case 2:
		if !s.srv.needsAuth() {
			return errNoPassword
		}
	case 3:
		user, pass = c.Args[1], c.Args[2]
	default:
		return resp.ErrSyntax
	}
	if !s.authenticate(user, pass) {
		return resp.ErrWrongPass
	}
	c.Out.OK()
	return nil
}

// authenticate logs the connection in as user.
func (s *Session) authenticate(user, pass []byte) bool {
	switch {
	case s.srv.o.Auth != nil:
		if !s.srv.o.Auth.Authenticate(user, pass) {
			return false
		}
	case string(user) != "default":
		return false
	}
	s.user = string(user)
	s.authed = true
	s.parser.Unauthenticated = false
	return true
}

func runHello(c *command.Ctx) error {
	s := session(c)
	args := c.Args
	proto := 0
	if len(args) > 1 {
		v, err := strconv.ParseInt(string(args[1]), 10, 64)
		switch {
		case err != nil:
			return errHelloVer
		case v != 2 && v != 3:
			return resp.ErrNoProto
		}
		proto = int(v)
	}
	var user, pass, name []byte
	for i := 2; i < len(args); i++ {
		more := len(args) - 1 - i
		switch {
		case more >= 2 && command.Is(args[i], "auth"):
			user, pass = args[i+1], args[i+2]
			i += 2
		case more >= 1 && command.Is(args[i], "setname"):
			name = args[i+1]
			if !plainName(name) {
				return errClientName
			}
			i++
		default:
			return resp.NewError("ERR Syntax error in HELLO option '" + oneLine(args[i]) + "'")
		}
	}
	if user != nil && !s.authenticate(user, pass) {
		return resp.ErrWrongPass
	}
	if !s.authed {
		return errHelloAuth
	}
	if name != nil {
		s.name = string(name)
	}
	if proto != 0 {
		c.Out.RESP3 = proto == 3
	}
	s.hello(c.Out)
	return nil
}

func (s *Session) hello(out *resp.Writer) {
	mode, role, proto := "standalone", "master", int64(2)
	if s.srv.cluster != nil {
		mode = "cluster"
	}
	if r := s.srv.o.Replica; r != nil && r.IsReplica() {
		role = "replica"
	}
	if out.RESP3 {
		proto = 3
	}
	out.Map(7)
	out.BulkString("server")
	out.BulkString("redis")
	out.BulkString("version")
	out.BulkString(redisVersion)
	out.BulkString("proto")
	out.Int(proto)
	out.BulkString("id")
	out.Int(int64(s.id))
	out.BulkString("mode")
	out.BulkString(mode)
	out.BulkString("role")
	out.BulkString(role)
	out.BulkString("modules")
	out.Array(0)
}

func runPing(c *command.Ctx) error {
	if s := session(c); s.subscribes && !c.Out.RESP3 && len(c.Args) <= 2 {
		// In RESP2 the reply must look like a message.
		c.Out.Array(2)
		c.Out.BulkString("pong")
		if len(c.Args) == 2 {
			c.Out.Bulk(c.Args[1])
		} else {
			c.Out.BulkString("")
		}
		return nil
	}
	switch len(c.Args) {
	case 1:
		c.Out.Simple("PONG")
	case 2:
		c.Out.Bulk(c.Args[1])
	default:
		return resp.WrongArity("ping")
	}
	return nil
}

func runEcho(c *command.Ctx) error {
	c.Out.Bulk(c.Args[1])
	return nil
}

func runSelect(c *command.Ctx) error {
	s := session(c)
	n, ok := command.ParseInt(c.Args[1])
	switch {
	case !ok:
		return resp.ErrNotInteger
	case n != int64(int32(n)):
		return errInt32
	case s.srv.cluster != nil && n != 0:
		return resp.ErrClusterSelect
	case n < 0 || n >= int64(c.Keyspace.Databases()):
		return resp.ErrDBIndex
	}
	s.db = int(n)
	c.Out.OK()
	return nil
}

func runQuit(c *command.Ctx) error {
	session(c).ending = true
	c.Out.OK()
	return nil
}

func runReset(c *command.Ctx) error {
	s := session(c)
	s.discard()
	s.unsubscribeAll()
	s.db = 0
	s.user, s.name = "default", ""
	s.readonly, s.asking, s.noEvict = false, false, false
	s.concern = concernDefault
	s.replies = replyOn
	s.authed = !s.srv.needsAuth()
	s.parser.Unauthenticated = !s.authed
	c.Out.RESP3 = false
	c.Out.Simple("RESET")
	return nil
}

func runReadonly(c *command.Ctx) error {
	session(c).readonly = true
	c.Out.OK()
	return nil
}

func runReadwrite(c *command.Ctx) error {
	session(c).readonly = false
	c.Out.OK()
	return nil
}

func runAsking(c *command.Ctx) error {
	session(c).asking = true
	c.Out.OK()
	return nil
}

// plainName reports whether b may name a connection: printable, no spaces.
func plainName(b []byte) bool {
	for _, ch := range b {
		if ch < '!' || ch > '~' {
			return false
		}
	}
	return true
}

// oneLine makes text of a client fit for an error reply.
func oneLine(b []byte) string {
	out := make([]byte, min(len(b), 128))
	for i := range out {
		if out[i] = b[i]; out[i] == '\r' || out[i] == '\n' {
			out[i] = ' '
		}
	}
	return string(out)
}
