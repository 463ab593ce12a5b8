package consensus

import (
	"bufio"
	"context"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/redwingdb/redwing/internal/bus"
	"github.com/redwingdb/redwing/internal/topology"
)

// subscribe follows a View stream for as long as this node belongs to a cluster and does
// not lead. Voters follow the leader, so that they see an entry when it is applied there
// and not a heartbeat later; other nodes follow a voter, spread over them.
func (c *Consensus) subscribe() {
	fails := 0
	for c.ctx.Err() == nil {
		source := c.source(fails)
		if source == "" {
			select {
			case <-c.ctx.Done():
				return
			case <-c.resub:
			case <-time.After(keepAlive):
				if c.Formed() && !c.IsLeader() {
					fails++
				}
			}
			if fails > 0 && fails%8 == 0 {
				c.askSeeds()
			}
			continue
		}
		live, err := c.follow(source)
		if live {
			fails = 0
		}
		fails++
		c.log.Debug("view stream ended", zap.String("node", string(source)), zap.Error(err))
		if fails > 1 {
			select {
			case <-c.ctx.Done():
			case <-time.After(min(time.Duration(fails)*5*time.Millisecond, keepAlive)):
			}
		}
		if fails%8 == 0 {
			c.askSeeds()
		}
	}
}

// source picks whom to follow, the next one after each failure; "" for nobody.
func (c *Consensus) source(fails int) topology.NodeID {
	s := c.stateCopy()
	if s.Cluster == "" || s.Phase != phaseNone {
		return ""
	}
	v := c.View()
	if m := c.member(); m != nil {
		if m.leads() != nil {
			return ""
		}
		if l := c.Leader(); l != "" && l != s.Node && fails%4 != 3 {
			return l
		}
	}
	voters := slices.DeleteFunc(v.Voters(), func(n topology.NodeID) bool { return n == s.Node })
	if len(voters) == 0 {
		return ""
	}
	h := fnv.New32a()
	h.Write([]byte(s.Node))
	return voters[(int(h.Sum32()%uint32(len(voters)))+fails)%len(voters)]
}

// follow takes Views from one source until it is silent, not live, or not the right one
// any more. lived: the source was live for a while.
func (c *Consensus) follow(source topology.NodeID) (lived bool, err error) {
	ctx, cancel := context.WithTimeout(c.ctx, streamSilence)
	conn, err := c.bus.Dial(ctx, bus.ProtoView, string(source))
	cancel()
	if err != nil {
		return false, err
	}
	defer conn.Close()
	stop := context.AfterFunc(c.ctx, func() { conn.Close() })
	defer stop()
	conn.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write(binary.BigEndian.AppendUint64(nil, c.View().Index)); err != nil {
		return false, err
	}
	r := bufio.NewReaderSize(conn, 16<<10)
	live := time.Now()
	for {
		conn.SetReadDeadline(time.Now().Add(streamSilence))
		m, err := readStream(r)
		if err != nil {
			return lived, err
		}
		switch m.typ {
		case streamView:
			c.publish(m.view, 0, nil)
		case streamDelta:
			cur := c.View()
			if cur.Index >= m.index {
				break
			}
			if cur.Index != m.prev {
				return lived, errStream // begin again: the whole comes first
			}
			next, _ := topology.Apply(cur, m.index, m.entry)
			c.publish(next, m.prev, m.raw)
		case streamKeep:
			c.HeardOf(m.index)
			if m.leader != "" {
				c.leaderHint.Store(&m.leader)
			}
			if m.live {
				lived, live = true, time.Now()
			}
		}
		if time.Since(live) > streamSilence {
			return lived, errStream
		}
		if mem := c.member(); mem != nil {
			if l := c.Leader(); l != source && l != "" {
				return lived, nil // the leader has changed, or is this node
			}
		}
	}
}

// askSeeds learns where members are when nobody answers at the addresses of the View:
// all nodes may have come back elsewhere.
func (c *Consensus) askSeeds() {
	for _, addr := range c.opt.Seeds {
		ctx, cancel := context.WithTimeout(c.ctx, streamSilence)
		info, err := c.askInfo(ctx, addr)
		cancel()
		if err == nil && info.Node != c.Self() && info.Cluster == c.stateCopy().Cluster {
			c.bus.Learn(string(info.Node), addr)
		}
	}
}
