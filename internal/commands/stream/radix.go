package stream

import "github.com/redwingdb/redwing/internal/engine/stream"

// radixNodes returns how many nodes Redis' radix tree of the stream's nodes would have:
// XINFO STREAM tells, and tools show it. Their keys are the master ids, big-endian. A
// node of the tree is a leaf, a branch, or a run of bytes without one (rax.h).
func radixNodes(s stream.Stream) int {
	keys := make([][16]byte, 0, s.Nodes())
	s.EachNode(func(master stream.ID, _ []byte) bool {
		keys = append(keys, master.Bytes())
		return true
	})
	if len(keys) == 0 {
		return 1 // the root is always there
	}
	return radixUnder(keys, 0)
}

// radixUnder returns the nodes of the subtree of sorted keys that agree in their first
// depth bytes.
func radixUnder(keys [][16]byte, depth int) int {
	same := depth
	for same < 16 && keys[0][same] == keys[len(keys)-1][same] {
		same++
	}
	n := 1 // the leaf or branch at same
	if same > depth {
		n++ // and the run of bytes before it
	}
	if same == 16 {
		return n
	}
	for from := 0; from < len(keys); {
		to := from + 1
		for to < len(keys) && keys[to][same] == keys[from][same] {
			to++
		}
		n += radixUnder(keys[from:to], same+1)
		from = to
	}
	return n
}
