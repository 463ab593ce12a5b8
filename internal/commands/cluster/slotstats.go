package cluster

import (
	"cmp"
	"slices"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/resp"
	"github.com/redwingdb/redwing/internal/slots"
)

// SlotUse is what commands on the keys of a slot have taken.
type SlotUse struct{ Nanos, NetInBytes, NetOutBytes int64 }

// Texts of Redis 8.2 and Valkey 8, cluster_slot_stats.c.
var (
	errMetric  = resp.NewError("ERR Unrecognized sort metric for ORDERBY.")
	errLimit   = resp.NewError("ERR Limit has to lie in between 1 and 16384 (maximum number of slots).")
	errFilters = resp.NewError("ERR Multiple filters of the same type are disallowed.")
)

// slotMetrics are the metrics of a slot in the order of the reply. Only the first is
// there without cluster-slot-stats-enabled.
var slotMetrics = [...]slotMetric{
	{"key-count", func(s *slotStat) int64 { return int64(s.keys) }},
	{"cpu-usec", func(s *slotStat) int64 { return s.use.Nanos / 1000 }},
	{"network-bytes-in", func(s *slotStat) int64 { return s.use.NetInBytes }},
	{"network-bytes-out", func(s *slotStat) int64 { return s.use.NetOutBytes }},
}

type slotMetric struct {
	name string
	of   func(s *slotStat) int64
}

type slotStat struct {
	slot slots.Slot
	keys int
	use  SlotUse
}

// slotStats serves CLUSTER SLOT-STATS SLOTSRANGE start end, and ORDERBY metric [LIMIT
// limit] [ASC|DESC], which begins with the highest unless ASC is said. The reply is an
// array of pairs: slot, and a map of metric to number. Slots of other shards are left out.
func (d *Deps) slotStats(c *command.Ctx) error {
	switch {
	case len(c.Args) == 5 && command.Is(c.Args[2], "slotsrange"):
		return d.slotStatsOfRange(c)
	case len(c.Args) >= 4 && command.Is(c.Args[2], "orderby"):
		return d.slotStatsByMetric(c)
	}
	return command.QuoteError("ERR unknown subcommand or wrong number of arguments for '", string(c.Args[1]), "'. Try CLUSTER HELP.")
}

func (d *Deps) slotStatsOfRange(c *command.Ctx) error {
	from, err := slotArg(c.Args[3])
	if err != nil {
		return err
	}
	to, err := slotArg(c.Args[4])
	if err != nil {
		return err
	}
	if from > to {
		return resp.NewError("ERR Start slot number " + string(c.Args[3]) + " is greater than end slot number " + string(c.Args[4]))
	}
	stats, metrics := d.collectSlotStats(from, to)
	writeSlotStats(c.Out, stats, metrics)
	return nil
}

func (d *Deps) slotStatsByMetric(c *command.Ctx) error {
	stats, metrics := d.collectSlotStats(0, slotCount-1)
	by := slices.IndexFunc(slotMetrics[:metrics], func(m slotMetric) bool { return command.Is(c.Args[3], m.name) })
	if by < 0 {
		return errMetric
	}
	limit, descending, limits, orders := int64(slotCount), true, 0, 0
	for i := 4; i < len(c.Args); i++ {
		switch {
		case command.Is(c.Args[i], "limit") && i+1 < len(c.Args):
			i++
			n, ok := command.ParseInt(c.Args[i])
			if !ok || n < 1 || n > slotCount {
				return errLimit
			}
			limit = n
			limits++
		case command.Is(c.Args[i], "asc"), command.Is(c.Args[i], "desc"):
			descending = command.Is(c.Args[i], "desc")
			orders++
		default:
			return resp.ErrSyntax
		}
		if limits > 1 || orders > 1 {
			return errFilters
		}
	}
	slices.SortFunc(stats, func(a, b slotStat) int {
		x, y := slotMetrics[by].of(&a), slotMetrics[by].of(&b)
		if descending {
			x, y = y, x
		}
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(a.slot, b.slot))
	})
	writeSlotStats(c.Out, stats[:min(int64(len(stats)), limit)], metrics)
	return nil
}

// collectSlotStats returns the stats of the slots from..to of this node's shard, and how
// many of slotMetrics there are.
func (d *Deps) collectSlotStats(from, to slots.Slot) (stats []slotStat, metrics int) {
	metrics = 1
	shard := d.look().shard()
	for slot := from; slot <= to; slot++ {
		if shard == nil || !shard.Slots.Has(slot) {
			continue
		}
		s := slotStat{slot: slot, keys: d.Keyspace.SlotLen(0, slot)}
		if d.SlotUse != nil {
			if use, counted := d.SlotUse(slot); counted {
				s.use, metrics = use, len(slotMetrics)
			}
		}
		stats = append(stats, s)
	}
	return stats, metrics
}

func writeSlotStats(w *resp.Writer, stats []slotStat, metrics int) {
	w.Array(len(stats))
	for i := range stats {
		w.Array(2)
		w.Int(int64(stats[i].slot))
		w.Map(metrics)
		for _, m := range slotMetrics[:metrics] {
			w.BulkString(m.name)
			w.Int(m.of(&stats[i]))
		}
	}
}
