package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/topology"
)

// Texts of Redis 7.2 (cluster.c).
var (
	errNotMaster       = resp.NewError("ERR The specified node is not a master")
	errReplicateMyself = resp.NewError("ERR Can't replicate myself")
	errReplicateOther  = resp.NewError("ERR I can only replicate a master, not a replica.")
	errReplicateFull   = resp.NewError("ERR To set a master the node must be empty and without assigned slots.")
	errForgetMyself    = resp.NewError("ERR I tried hard but I can't forget myself...")
	errForgetMaster    = resp.NewError("ERR Can't forget my master!")
	errResetWithKeys   = resp.NewError("ERR CLUSTER RESET can't be called with master nodes containing keys")
	errFailoverMaster  = resp.NewError("ERR You should send CLUSTER FAILOVER to a replica")
	errFailoverDown    = resp.NewError("ERR Master is down or failed, please use CLUSTER FAILOVER FORCE")
	errEpochKnown      = resp.NewError("ERR The user can assign a config epoch only when the node does not know any other node.")
	errEpochSet        = resp.NewError("ERR Node config epoch is already non-zero")
)

func unknownNode(id []byte) *resp.Error {
	return command.QuoteError("ERR Unknown node ", string(id))
}

// change runs f within the time that a change of the topology may take and answers
// OK, or with what the log said.
func (d *Deps) change(c *command.Ctx, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d.timeout())
	defer cancel()
	if err := f(ctx); err != nil {
		return refusal(err)
	}
	c.Out.OK()
	return nil
}

// refusal is what the client sees of an error of the control plane.
func refusal(err error) *resp.Error {
	var text *resp.Error
	switch {
	case errors.As(err, &text):
		return text
	case errors.Is(err, context.DeadlineExceeded):
		return command.QuoteError("ERR The change was not confirmed in time and may still happen: ", err.Error())
	default:
		return command.QuoteError("ERR ", err.Error())
	}
}

func (d *Deps) meet(c *command.Ctx) error {
	if len(c.Args) > 5 {
		return resp.WrongArity(c.Spec.FullName())
	}
	host, port := string(c.Args[2]), string(c.Args[3])
	base, ok := command.ParseInt(c.Args[3])
	if !ok {
		return command.QuoteError("ERR Invalid TCP base port specified: ", port)
	}
	bus := base + config.BusOffset
	if len(c.Args) == 5 {
		if bus, ok = command.ParseInt(c.Args[4]); !ok {
			return command.QuoteError("ERR Invalid TCP bus port specified: ", string(c.Args[4]))
		}
	}
	ip := net.ParseIP(host)
	if ip == nil || base < 1 || base > maxPort || bus < 1 || bus > maxPort {
		return command.QuoteError("ERR Invalid node address specified: ", host, ":", port)
	}
	return d.change(c, func(ctx context.Context) error {
		return d.Control.Meet(ctx, ip.String(), int(base), int(bus))
	})
}

const maxPort = 65535

func (d *Deps) replicate(c *command.Ctx) error {
	s := d.look()
	n := s.view.Node(topology.NodeID(c.Args[2]))
	if n == nil {
		return unknownNode(c.Args[2])
	}
	if n.ID == s.self {
		return errReplicateMyself
	}
	if target := s.view.ShardByID(n.Shard); target == nil || target.Primary != n.ID {
		return errReplicateOther
	}
	if s.isPrimary() && (!s.shard().Slots.Empty() || d.Keyspace.Len(0) != 0) {
		return errReplicateFull
	}
	if n.Shard == s.shard().ID {
		c.Out.OK() // it is its replica
		return nil
	}
	return d.change(c, func(ctx context.Context) error { return d.Control.Replicate(ctx, n.ID) })
}

func (d *Deps) forget(c *command.Ctx) error {
	s := d.look()
	id := topology.NodeID(c.Args[2])
	if s.view.Node(id) == nil {
		if _, removed := s.view.RemovedIncarnation(id); removed {
			c.Out.OK()
			return nil
		}
		return unknownNode(c.Args[2])
	}
	switch {
	case id == s.self:
		return errForgetMyself
	case !s.isPrimary() && s.shard().Primary == id:
		return errForgetMaster
	}
	return d.change(c, func(ctx context.Context) error { return d.Control.Forget(ctx, id) })
}

func (d *Deps) reset(c *command.Ctx) error {
	hard := false
	if len(c.Args) == 3 {
		switch {
		case command.Is(c.Args[2], "hard"):
			hard = true
		case command.Is(c.Args[2], "soft"):
		default:
			return resp.ErrSyntax
		}
	}
	if len(c.Args) > 3 {
		return resp.WrongArity(c.Spec.FullName())
	}
	if d.look().isPrimary() && d.Keyspace.Len(0) != 0 {
		return errResetWithKeys
	}
	return d.change(c, func(ctx context.Context) error { return d.Control.Reset(ctx, hard) })
}

func (d *Deps) failover(c *command.Ctx) error {
	mode := FailoverGraceful
	if len(c.Args) > 3 {
		return resp.WrongArity(c.Spec.FullName())
	}
	if len(c.Args) == 3 {
		switch {
		case command.Is(c.Args[2], "force"):
			mode = FailoverForce
		case command.Is(c.Args[2], "takeover"):
			mode = FailoverTakeover
		default:
			return resp.ErrSyntax
		}
	}
	s := d.look()
	if s.isPrimary() {
		return errFailoverMaster
	}
	if mode == FailoverGraceful && s.health(s.shard().Primary).Failed {
		return errFailoverDown
	}
	return d.change(c, func(ctx context.Context) error { return d.Control.Failover(ctx, mode) })
}

func (d *Deps) setConfigEpoch(c *command.Ctx) error {
	epoch, err := c.Int(2)
	if err != nil {
		return err
	}
	switch {
	case epoch < 0:
		return resp.NewError("ERR Invalid config epoch specified: " + strconv.FormatInt(epoch, 10))
	case len(d.look().view.Nodes) > 1:
		return errEpochKnown
	case d.Control.ConfigEpoch() != 0:
		return errEpochSet
	}
	if err := d.Control.SetConfigEpoch(uint64(epoch)); err != nil {
		return refusal(fmt.Errorf("set config epoch %d: %w", epoch, err))
	}
	c.Out.OK()
	return nil
}
