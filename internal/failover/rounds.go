package failover

import (
	"slices"

	"github.com/redwingdb/redwing/internal/topology"
)

// maxRounds bounds the rounds that wait for echoes; a round older than all of them
// will not be echoed in time for any lease.
const maxRounds = 32

// rounds shares each bus round of echoes among all renewals that came before it. A
// voter's echo of round n is given after round n began, hence after every earlier
// one too, and counts for all of them.
type rounds struct {
	seq     uint64
	begun   int64
	waiting []renewal // came since the last round began
	open    []round
	times   [2 * maxRounds]int64 // when the last rounds began, by seq modulo
}

type round struct {
	seq      uint64
	echoed   []topology.NodeID
	renewals []renewal
}

// renewal is an Ask that waits for its round; ID is the driver's handle for the
// answer.
type renewal struct {
	ID   uint64
	From topology.NodeID
	Ask  Ask
}

// begin starts the next round for all that wait. It returns the renewals of rounds
// given up.
func (r *rounds) begin(now int64) (seq uint64, dropped []renewal) {
	if len(r.open) >= maxRounds {
		dropped = r.open[0].renewals
		r.open = slices.Delete(r.open, 0, 1)
	}
	r.seq++
	r.begun = now
	r.times[r.seq%uint64(len(r.times))] = now
	r.open = append(r.open, round{seq: r.seq, renewals: r.waiting})
	r.waiting = nil
	return r.seq, dropped
}

// begunAt is when round seq began; 0 for one long past or not begun.
func (r *rounds) begunAt(seq uint64) int64 {
	if seq > r.seq || r.seq-seq >= uint64(len(r.times)) {
		return 0
	}
	return r.times[seq%uint64(len(r.times))]
}

// echo counts a voter's echo of round seq and returns the renewals of all rounds
// that a majority of voters has now echoed.
func (r *rounds) echo(voter topology.NodeID, seq uint64, voters []topology.NodeID) []renewal {
	if !slices.Contains(voters, voter) || seq > r.seq {
		return nil
	}
	var done []renewal
	kept := r.open[:0]
	for _, o := range r.open {
		if o.seq <= seq && !slices.Contains(o.echoed, voter) {
			o.echoed = append(o.echoed, voter)
		}
		if len(o.echoed) >= majority(len(voters)) {
			done = append(done, o.renewals...)
			continue
		}
		kept = append(kept, o)
	}
	clear(r.open[len(kept):])
	r.open = kept
	return done
}

// all returns every renewal not answered yet and forgets it.
func (r *rounds) all() []renewal {
	out := r.waiting
	for _, o := range r.open {
		out = append(out, o.renewals...)
	}
	r.waiting, r.open = nil, nil
	return out
}

func majority(voters int) int { return voters/2 + 1 }
