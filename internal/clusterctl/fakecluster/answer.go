package fakecluster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/slots"
	"github.com/tidwall/redcon"
)

// change are the commands that change something.
var change = []string{
	"CLUSTER MEET", "CLUSTER ADDSLOTSRANGE", "CLUSTER REPLICATE", "CLUSTER FORGET", "CLUSTER RESET",
	"CLUSTER MIGRATESLOTS", "CLUSTER CANCELSLOTMIGRATIONS", "FLUSHALL",
}

// answer returns the reply to a command and what to do once it is written.
func (n *Node) answer(conn redcon.Conn, name string, args []string) (reply []byte, hook func()) {
	w := n.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.password != "" && conn.Context() == nil && name != "AUTH" {
		return failure("NOAUTH Authentication required."), nil
	}
	if slices.Contains(change, name) {
		w.mu.changes = append(w.mu.changes, fmt.Sprintf("%d %s", slices.Index(w.mu.nodes, n), name))
	}
	if text := w.mu.fail[name]; text != "" {
		return failure(text), nil
	}
	switch name {
	case "AUTH":
		return n.auth(conn, args[len(args)-1]), nil
	case "PING":
		return redcon.AppendString(nil, "PONG"), nil
	case "DBSIZE":
		return redcon.AppendInt(nil, int64(n.keys)), nil
	case "FLUSHALL":
		n.keys = 0
		return ok(), nil
	case "WAIT":
		return redcon.AppendInt(nil, w.linkedLocked(n)), nil
	case "INFO":
		return redcon.AppendBulkString(nil, n.infoLocked()), nil
	case "CLUSTER MYID":
		return redcon.AppendBulkString(nil, n.ID), nil
	case "CLUSTER INFO":
		return redcon.AppendBulkString(nil, w.clusterInfoLocked(n)), nil
	case "CLUSTER NODES":
		return redcon.AppendBulkString(nil, w.nodesLocked(n)), nil
	case "CLUSTER GETSLOTMIGRATIONS":
		return w.jobsLocked(n), nil
	case "CLUSTER MIGRATESLOTS":
		return w.migrateLocked(n, args)
	}
	return w.changeLocked(n, name, args), nil
}

// changeLocked makes the changes that need no hook. REQUIRES: w.mu held.
func (w *World) changeLocked(n *Node, name string, args []string) []byte {
	switch name {
	case "CLUSTER MEET":
		for _, o := range w.mu.nodes {
			if o.Addr == args[0]+":"+args[1] {
				n.cluster = o.cluster
				return ok()
			}
		}
		return failure("ERR no such node")
	case "CLUSTER ADDSLOTSRANGE":
		set, err := pairs(args)
		if err != nil {
			return failure("ERR " + err.Error())
		}
		n.slots.Union(&set)
		return ok()
	case "CLUSTER REPLICATE":
		return w.replicateLocked(n, args[0])
	case "CLUSTER FORGET":
		for _, o := range w.membersLocked(n) {
			if o.ID == args[0] {
				o.leaveLocked()
				return ok()
			}
		}
		return failure("ERR Unknown node " + args[0])
	case "CLUSTER RESET":
		n.leaveLocked()
		return ok()
	case "CLUSTER CANCELSLOTMIGRATIONS":
		for _, j := range w.mu.jobs {
			if j.source == n && j.state == "" {
				j.state = "cancelled"
			}
		}
		return ok()
	}
	return failure("ERR unknown command '" + name + "'")
}

func ok() []byte { return redcon.AppendString(nil, "OK") }

func failure(text string) []byte { return redcon.AppendError(nil, text) }

func (n *Node) auth(conn redcon.Conn, password string) []byte {
	if password != n.password {
		return failure("WRONGPASS invalid username-password pair or user is disabled.")
	}
	conn.SetContext(true)
	return ok()
}

// leaveLocked makes the node a cluster of its own. REQUIRES: the world's mutex held.
func (n *Node) leaveLocked() {
	n.cluster = -1 - slices.Index(n.w.mu.nodes, n)
	n.primary, n.slots = nil, slots.Set{}
}

func (w *World) replicateLocked(n *Node, id string) []byte {
	for _, o := range w.membersLocked(n) {
		if o.ID == id && o != n && o.primary == nil && n.slots.Empty() {
			n.primary = o
			return ok()
		}
	}
	return failure("ERR Unknown node " + id)
}

// linkedLocked counts the replicas that follow n. REQUIRES: w.mu held.
func (w *World) linkedLocked(n *Node) (count int64) {
	for _, o := range w.mu.nodes {
		if o.primary == n && !o.unlinked && !o.failed {
			count++
		}
	}
	return count
}

func (n *Node) infoLocked() string {
	if n.primary == nil {
		return "role:master\r\nmaster_repl_offset:100\r\nused_memory:2048\r\nconnected_clients:3\r\nredwing_version:test\r\n"
	}
	link := "up"
	if n.unlinked {
		link = "down"
	}
	return "role:slave\r\nmaster_link_status:" + link + "\r\nslave_repl_offset:90\r\nused_memory:1024\r\nconnected_clients:1\r\nredwing_version:test\r\n"
}

func (w *World) clusterInfoLocked(n *Node) string {
	var covered slots.Set
	for _, o := range w.membersLocked(n) {
		covered.Union(&o.slots)
	}
	state := "ok"
	if covered.Len() < slots.Count {
		state = "fail"
	}
	return "cluster_state:" + state + "\r\ncluster_current_epoch:7\r\n"
}

func (w *World) nodesLocked(n *Node) string {
	var b strings.Builder
	for _, o := range w.membersLocked(n) {
		if o == n || !n.alone {
			b.WriteString(o.lineLocked(o == n))
		}
	}
	return b.String()
}

// pairs parses "from", "to", ...
func pairs(args []string) (set slots.Set, err error) {
	for i := 0; i+1 < len(args); i += 2 {
		from, errFrom := strconv.Atoi(args[i])
		to, errTo := strconv.Atoi(args[i+1])
		if errFrom != nil || errTo != nil || from > to || to >= slots.Count {
			return set, fmt.Errorf("bad range %s-%s", args[i], args[i+1])
		}
		set.AddRange(slots.Range{From: slots.Slot(from), To: slots.Slot(to)})
	}
	return set, nil
}

// migrateLocked begins one job: SLOTSRANGE from to ... NODE id. REQUIRES: w.mu held.
func (w *World) migrateLocked(n *Node, args []string) ([]byte, func()) {
	set, err := pairs(args[1 : len(args)-2])
	if err != nil {
		return failure("ERR " + err.Error()), nil
	}
	if !n.slots.Contains(&set) {
		return failure("ERR Slots are not served by this node."), nil
	}
	for _, j := range w.mu.jobs {
		if j.state == "" && j.slots.Intersects(&set) {
			return failure("ERR Slot is already being moved by job " + j.name), nil
		}
	}
	for _, o := range w.membersLocked(n) {
		if o.ID != args[len(args)-1] {
			continue
		}
		j := &job{name: fmt.Sprintf("%02d%s", len(w.mu.jobs), strings.Repeat("0", 38)), source: n, target: o, slots: set, left: w.mu.polls}
		w.mu.jobs = append(w.mu.jobs, j)
		hook := w.mu.onJob
		w.mu.onJob = nil
		return ok(), hook
	}
	return failure("ERR Unknown node"), nil
}

// jobsLocked lists the jobs that n is an end of, newest first, and lets the running
// ones get further. REQUIRES: w.mu held.
func (w *World) jobsLocked(n *Node) []byte {
	var mine []*job
	for _, j := range slices.Backward(w.mu.jobs) {
		if j.source != n && j.target != n {
			continue
		}
		mine = append(mine, j)
		if j.state == "" && !w.mu.held && j.source == n {
			if j.left--; j.left < 0 {
				w.commitLocked(j)
			}
		}
	}
	out := redcon.AppendArray(nil, len(mine))
	for _, j := range mine {
		out = n.appendJobLocked(out, j)
	}
	return out
}

func (n *Node) appendJobLocked(out []byte, j *job) []byte {
	operation, state, done := "IMPORT", j.state, 0
	if j.source == n {
		operation = "EXPORT"
	}
	if state == "" {
		state = "copy"
		done = max(0, 10-j.left)
	}
	fields := []any{
		"name", j.name, "operation", operation, "slot_ranges", j.slots.String(),
		"target_node", j.target.ID, "source_node", j.source.ID,
		"create_time", slices.Index(n.w.mu.jobs, j) + 1, "last_update_time", 9,
		"state", state, "message", j.message, "remaining_repl_size", 0, "keys_done", done, "keys_total", 10,
	}
	out = redcon.AppendArray(out, len(fields))
	for _, f := range fields {
		if v, ok := f.(int); ok {
			out = redcon.AppendInt(out, int64(v))
			continue
		}
		out = redcon.AppendBulkString(out, f.(string))
	}
	return out
}
