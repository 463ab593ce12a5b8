package replication

import (
	"strconv"
	"strings"
)

// markPrefix begins the argument of the PING that carries a Mark.
const markPrefix = "rw1:"

// Mark says whose data a stream carries: the cluster shard, its term and the run of
// its primary. It travels as PING "rw1:<cluster>:<shard>:<term>:<run>", which Redis
// counts, forwards and ignores. The zero Mark is that of a server without a cluster.
type Mark struct {
	Cluster string
	Shard   string
	Term    uint64
	Run     string
}

// String returns the form in which a Mark travels, empty for the zero Mark.
func (m Mark) String() string {
	if m == (Mark{}) {
		return ""
	}
	return markPrefix + m.Cluster + ":" + m.Shard + ":" + strconv.FormatUint(m.Term, 10) + ":" + m.Run
}

// ParseMark is the reverse of String; ok is false for anything else.
func ParseMark(s string) (m Mark, ok bool) {
	rest, ok := strings.CutPrefix(s, markPrefix)
	if !ok {
		return Mark{}, false
	}
	parts := strings.Split(rest, ":")
	if len(parts) != 4 || parts[0] == "" || parts[1] == "" || parts[3] == "" {
		return Mark{}, false
	}
	term, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil {
		return Mark{}, false
	}
	return Mark{Cluster: parts[0], Shard: parts[1], Term: term, Run: parts[3]}, true
}

// sameShard reports whether both marks are of one cluster shard.
func (m Mark) sameShard(o Mark) bool { return m.Cluster == o.Cluster && m.Shard == o.Shard }
