package cluster

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

var (
	errNotServed  = resp.NewError("ERR Slots are not served by this node.")
	errMoveToSelf = resp.NewError("ERR Target node can not be this node.")
	errMoveToSlot = resp.NewError("ERR Target node is not a primary.")
)

// maxMoves bounds the jobs that one CLUSTER MIGRATESLOTS begins.
const maxMoves = 128

// migrateSlots is Valkey's CLUSTER MIGRATESLOTS, sent to the primary of the slots:
//
//	SLOTSRANGE from to [from to ...] NODE id [SLOTSRANGE ...]
func (d *Deps) migrateSlots(c *command.Ctx) error {
	s := d.look()
	moves, err := s.moveRequests(c.Args[2:])
	if err != nil {
		return err
	}
	return d.change(c, func(ctx context.Context) error { return d.Control.MigrateSlots(ctx, moves) })
}

func (s *sight) moveRequests(args [][]byte) ([]MoveRequest, error) {
	var moves []MoveRequest
	var all slots.Set
	for len(args) > 0 {
		node := 1
		for node < len(args) && !command.Is(args[node], "node") {
			node++
		}
		if !command.Is(args[0], "slotsrange") || node+1 >= len(args) || node < 3 || node%2 == 0 || len(moves) == maxMoves {
			return nil, resp.ErrSyntax
		}
		set, err := slotPairs(args[1:node])
		if err != nil {
			return nil, err
		}
		if all.Intersects(&set) {
			for slot := range set.Each() {
				if err := addOnce(&all, slot); err != nil {
					return nil, err
				}
			}
		}
		all.Union(&set)
		target, err := s.moveTarget(args[node+1])
		if err != nil {
			return nil, err
		}
		moves = append(moves, MoveRequest{Slots: set, Target: target})
		args = args[node+2:]
	}
	if !s.isPrimary() || !s.shard().Slots.Contains(&all) {
		return nil, errNotServed
	}
	for slot := range all.Each() {
		if m := s.view.MoveOn(slot); m != nil {
			return nil, resp.NewError(fmt.Sprintf("ERR Slot %d is already being moved by job %s", slot, m.Job))
		}
		if s.shard().OpenSlotAt(slot) != nil {
			return nil, resp.NewError(fmt.Sprintf("ERR Slot %d is open by CLUSTER SETSLOT", slot))
		}
	}
	return moves, nil
}

func (s *sight) moveTarget(id []byte) (topology.NodeID, error) {
	n := s.view.Node(topology.NodeID(id))
	if n == nil {
		return "", unknownNode(id)
	}
	if n.ID == s.self {
		return "", errMoveToSelf
	}
	if shard := s.view.ShardByID(n.Shard); shard == nil || shard.Primary != n.ID {
		return "", errMoveToSlot
	}
	return n.ID, nil
}

// getSlotMigrations lists the jobs that this node's shard is an end of, newest
// first, each as a map with the fields of Valkey 9 and two of our own, how many keys
// of the snapshot are copied.
func (d *Deps) getSlotMigrations(c *command.Ctx) error {
	s := d.look()
	mine := s.shard().ID
	var jobs []*topology.Move
	for i := len(s.view.Moves) - 1; i >= 0; i-- {
		if m := &s.view.Moves[i]; m.Touches(mine) {
			jobs = append(jobs, m)
		}
	}
	c.Out.Array(len(jobs))
	for _, m := range jobs {
		s.writeJob(c.Out, m)
	}
	return nil
}

func (s *sight) writeJob(w *resp.Writer, m *topology.Move) {
	var p Progress
	if m.IsOpen() {
		p = s.control.Progress(m.Job)
	}
	operation := "IMPORT"
	if m.Source == s.shard().ID {
		operation = "EXPORT"
	}
	message := p.Message
	if message == "" {
		message = m.Reason
	}
	w.Map(14)
	text := func(name, value string) {
		w.BulkString(name)
		w.BulkString(value)
	}
	number := func(name string, value int64) {
		w.BulkString(name)
		w.Int(value)
	}
	text("name", m.Job)
	text("operation", operation)
	text("slot_ranges", jobRanges(&m.Slots))
	text("target_node", string(s.primaryOf(m.Target)))
	text("source_node", string(s.primaryOf(m.Source)))
	number("create_time", m.BeganMillis/1000)
	number("last_update_time", m.UpdatedMillis/1000)
	number("last_ack_time", p.LastAckMillis/1000)
	text("state", jobState(m, p))
	text("message", message)
	number("cow_size", 0)
	number("remaining_repl_size", p.BehindBytes)
	number("keys_done", p.KeysDone)
	number("keys_total", p.KeysTotal)
}

// jobState is Valkey's word for how a job ended, or the phase that it is in.
func jobState(m *topology.Move, p Progress) string {
	switch {
	case m.State == topology.MoveCommitted:
		return "success"
	case m.State == topology.MoveAborted && m.Reason == "cancelled":
		return "cancelled"
	case m.State == topology.MoveAborted:
		return "failed"
	case p.Phase == "":
		return "waiting"
	default:
		return p.Phase
	}
}

func (s *sight) primaryOf(shard topology.ShardID) topology.NodeID {
	if sh := s.view.ShardByID(shard); sh != nil {
		return sh.Primary
	}
	return ""
}

// jobRanges writes both bounds of every range, also of a single slot.
func jobRanges(set *slots.Set) string {
	var b strings.Builder
	for i, r := range set.Ranges() {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(int(r.From)) + "-" + strconv.Itoa(int(r.To)))
	}
	return b.String()
}

// cancelSlotMigrations ends every job that this node's shard is the source of; the
// word ALL may be said.
func (d *Deps) cancelSlotMigrations(c *command.Ctx) error {
	if len(c.Args) > 3 || len(c.Args) == 3 && !command.Is(c.Args[2], "all") {
		return resp.ErrSyntax
	}
	return d.change(c, d.Control.CancelMigrations)
}
