package consensus

import "time"

// Timing is everything that follows from cluster-node-timeout.
type Timing struct {
	Lease       time.Duration // L
	Heartbeat   time.Duration // raft's heartbeat and election timeouts, L/3
	LeaderLease time.Duration // raft's, L/4
}

// TimingFor derives the times: L = min(600 ms, half of the timeout), not below 300 ms.
func TimingFor(nodeTimeout time.Duration) Timing {
	if nodeTimeout == 0 {
		nodeTimeout = 1500 * time.Millisecond
	}
	l := max(min(600*time.Millisecond, nodeTimeout/2), 300*time.Millisecond)
	return Timing{Lease: l, Heartbeat: l / 3, LeaderLease: l / 4}
}

const (
	// commitTimeout is raft's pause before followers are told of a commit by itself. It may
	// be long, because they see entries by the leader's View stream; at 10 ms six idle
	// nodes spend 70 ms of CPU a second, most of it here.
	commitTimeout = 50 * time.Millisecond
	// rpcTimeout bounds one exchange of raft.
	rpcTimeout = 500 * time.Millisecond
	// storeDeadline is the longest an access to raft's stores may take (stores.go).
	storeDeadline = time.Second
	// reopenAfter is the pause before poisoned stores are opened again.
	reopenAfter = 5 * time.Second
	// streamSilence makes a subscriber look elsewhere, keepAlive is what it waits for.
	streamSilence = 300 * time.Millisecond
	keepAlive     = 100 * time.Millisecond
	// attemptTimeout bounds one attempt to reach the leader with a proposal.
	attemptTimeout = 600 * time.Millisecond
	// settleTimeout is how long a topology command waits for all nodes to follow.
	settleTimeout = 500 * time.Millisecond
	// removeTimeout is how long RESET tries to leave in good order.
	removeTimeout = 2 * time.Second
	// catchUpTimeout is how long a spare may take before it is given up.
	catchUpTimeout = 10 * time.Second
	// saveDelay gathers changes of the View before they are written to disk.
	saveDelay = 200 * time.Millisecond
	// handOver bounds a closing leader's try to name a successor.
	handOver = 500 * time.Millisecond
	// lonelyAfter is how long a member hears from no leader before it asks whether raft
	// still knows it.
	lonelyAfter = 3 * time.Second
	// voterDeadAfter is the silence after which a voter is replaced.
	voterDeadAfter = 60 * time.Second
)
