package replication

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/redwingdb/redwing/internal/command"
)

// ReplicaInfo is one replica attached to this node.
type ReplicaInfo struct {
	IP      string
	Port    int
	State   string // wait_bgsave, send_bulk, online
	Online  bool
	Offset  int64         // acknowledged
	AckMono int64         // clock.Mono of its last sign of life
	Lag     time.Duration // since then, 0 where it is not online
	// Node and Run are set for a replica of the same cluster.
	Node, Run string
}

// Replicas returns the attached replicas, in the order in which they came.
func (r *Replication) Replicas() []ReplicaInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.mono()
	out := make([]ReplicaInfo, 0, len(r.mu.replicas))
	for _, a := range r.mu.replicas {
		i := ReplicaInfo{
			IP: a.ip, Port: a.hs.port, State: a.state.String(), Online: a.state == stateOnline,
			Offset: a.ackOffset, AckMono: a.ackAt, Node: a.hs.node, Run: a.hs.run,
		}
		if i.Online {
			i.Lag = since(now, a.ackAt)
		}
		out = append(out, i)
	}
	return out
}

// countGoodLocked counts the replicas that are online and have been heard of within
// min-replicas-max-lag. REQUIRES: r.mu held.
func (r *Replication) countGoodLocked() {
	set := r.settings()
	now := r.mono()
	n := int32(0)
	for _, a := range r.mu.replicas {
		if a.state == stateOnline && since(now, a.ackAt) <= set.MinReplicasMaxLag {
			n++
		}
	}
	r.goodReplicas.Store(n)
	if set.MinReplicasMaxLag < 0 {
		set.MinReplicas = 0
	}
	r.minReplicas.Store(int32(set.MinReplicas))
}

// GoodReplicas returns how many replicas were online and heard of within
// min-replicas-max-lag when that was looked at last: at most a second ago.
func (r *Replication) GoodReplicas() int { return int(r.goodReplicas.Load()) }

// FewReplicas reports whether writes are refused by min-replicas-to-write. It costs
// two atomic loads.
func (r *Replication) FewReplicas() bool {
	most := r.minReplicas.Load()
	return most > 0 && r.goodReplicas.Load() < most && !r.replica.Load()
}

// Info appends the fields of INFO replication, "name:value\r\n" each, without the
// section's title.
func (r *Replication) Info(dst []byte) []byte {
	set := r.settings()
	replicas := r.Replicas()
	backlog := r.o.Log.Backlog()
	offset := r.o.Log.Offset()
	r.mu.Lock()
	h, target, link := r.mu.history, r.mu.target, r.mu.link
	up := link != nil && r.linkUp.Load()
	failing := noFailover
	if r.mu.failover != nil {
		failing = r.mu.failover.state
	}
	r.mu.Unlock()

	role := "master"
	if r.replica.Load() {
		role = "slave"
	}
	line := func(name string, value any) { dst = fmt.Appendf(dst, "%s:%v\r\n", name, value) }
	line("role", role)
	if role == "slave" {
		host, port := "", 0
		if target != nil {
			host, port = target.Host, target.Port
		}
		line("master_host", host)
		line("master_port", port)
		line("master_link_status", upDown(up))
		last, downFor := int64(-1), int64(-1)
		syncing, read, total := 0, int64(0), int64(0)
		if link != nil {
			last, downFor = link.times(r.mono())
			if link.inSync.Load() {
				syncing, read, total = 1, link.loaded.Load(), link.total.Load()
			}
		}
		line("master_last_io_seconds_ago", last)
		line("master_sync_in_progress", syncing)
		line("slave_read_repl_offset", offset)
		line("slave_repl_offset", offset)
		if syncing == 1 {
			line("master_sync_total_bytes", total)
			line("master_sync_read_bytes", read)
			line("master_sync_left_bytes", total-read) // negative where the length is not known, as Redis has it
			line("master_sync_perc", fmt.Sprintf("%.2f", percent(read, total)))
			line("master_sync_last_io_seconds_ago", max(last, 0))
		}
		if !up {
			line("master_link_down_since_seconds", downFor)
		}
		line("slave_priority", set.Priority)
		line("slave_read_only", oneIf(!set.ServeWritable))
		line("replica_announced", oneIf(!set.Unannounced))
	}
	line("connected_slaves", len(replicas))
	if set.MinReplicas > 0 && set.MinReplicasMaxLag > 0 {
		line("min_slaves_good_slaves", r.GoodReplicas())
	}
	for i, a := range replicas {
		line("slave"+strconv.Itoa(i), fmt.Sprintf("ip=%s,port=%d,state=%s,offset=%d,lag=%d",
			a.IP, a.Port, a.State, a.Offset, int64(a.Lag/time.Second)))
	}
	line("master_failover_state", failing)
	line("master_replid", h.id)
	line("master_replid2", h.id2)
	line("master_repl_offset", offset)
	line("second_repl_offset", h.second)
	first := int64(0)
	if backlog.On {
		first = backlog.First + 1
	}
	line("repl_backlog_active", oneIf(backlog.On))
	line("repl_backlog_size", backlog.Size)
	line("repl_backlog_first_byte_offset", first)
	line("repl_backlog_histlen", backlog.Bytes)
	return dst
}

// percent of total that n is, 0 where the total is not known.
func percent(n, total int64) float64 {
	if total == 0 {
		return 0
	}
	return 100 * float64(n) / float64(total)
}

func upDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// role is ROLE.
func (r *Replication) role(c *command.Ctx) error {
	out := c.Out
	if !r.replica.Load() {
		out.Array(3)
		out.BulkString("master")
		out.Int(r.o.Log.Offset())
		var online []ReplicaInfo
		for _, a := range r.Replicas() {
			if a.Online {
				online = append(online, a)
			}
		}
		out.Array(len(online))
		for _, a := range online {
			out.Array(3)
			out.BulkString(a.IP)
			out.BulkInt(int64(a.Port))
			out.BulkInt(a.Offset)
		}
		return nil
	}
	r.mu.Lock()
	target, link := r.mu.target, r.mu.link
	r.mu.Unlock()
	host, port, state := "", 0, "connect"
	if target != nil {
		host, port = target.Host, target.Port
	}
	offset := int64(-1)
	switch {
	case r.linkUp.Load():
		state, offset = "connected", r.o.Log.Offset()
	case link != nil && link.inSync.Load():
		state = "sync"
	case link != nil && link.connected.Load():
		state = "handshake"
	}
	out.Array(5)
	out.BulkString("slave")
	out.BulkString(host)
	out.Int(int64(port))
	out.BulkString(state)
	out.Int(offset)
	return nil
}

// addr of a target.
func (t Target) addr() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// LoadProgress is how far the data set of a full sync is loaded.
type LoadProgress struct {
	StartedAt               int64 // Unix seconds
	TotalBytes, LoadedBytes int64 // the first is 0 where the primary has not told
	UsedMem                 int64 // bytes that the primary says it uses, 0: not told
}

// LoadProgress returns how far a full sync is; ok is false if none is being loaded.
func (r *Replication) LoadProgress() (p LoadProgress, ok bool) {
	r.mu.Lock()
	l := r.mu.link
	r.mu.Unlock()
	if l == nil || !r.loading.Load() {
		return p, false
	}
	return LoadProgress{l.loadAt.Load(), l.total.Load(), l.loaded.Load(), l.usedMem.Load()}, true
}
