package admin

import (
	"io"
	"net"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errNoShutdown     = resp.NewError("ERR No shutdown in progress.")
	errShutdownFailed = resp.NewError("ERR Errors trying to SHUTDOWN. Check logs.")
)

// shutdown is SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]. It runs off-loop. On
// success there is no reply: the connection ends with the process.
func (d *Deps) shutdown(c *command.Ctx) error {
	var mode ShutdownMode
	var abort bool
	for _, arg := range c.Args[1:] {
		switch {
		case command.Is(arg, "nosave"):
			mode.NoSave = true
		case command.Is(arg, "save"):
			mode.Save = true
		case command.Is(arg, "now"):
			mode.Now = true
		case command.Is(arg, "force"):
			mode.Force = true
		case command.Is(arg, "abort"):
			abort = true
		default:
			return resp.ErrSyntax
		}
	}
	if mode.Save && mode.NoSave || abort && mode != (ShutdownMode{}) {
		return resp.ErrSyntax
	}
	if abort {
		if d.AbortShutdown == nil || !d.AbortShutdown() {
			return errNoShutdown
		}
		c.Out.OK()
		return nil
	}
	if d.Shutdown == nil || d.Shutdown(mode) != nil {
		return errShutdownFailed
	}
	if c.Client != nil {
		c.Client.Hijack(holdOpen)
	}
	return nil
}

// holdOpen keeps a connection without an answer until either side ends it.
func holdOpen(conn net.Conn, _ []byte) {
	defer conn.Close()
	_, _ = io.Copy(io.Discard, conn)
}
