package topology

import "fmt"

// Describe says in one line for the event log what e asks for.
func Describe(e Entry) string {
	switch e := e.(type) {
	case FormCluster:
		return fmt.Sprintf("cluster %.8s formed by node %.8s with %d slots", e.ClusterID, e.Node.ID, e.Slots.Len())
	case JoinNode:
		return fmt.Sprintf("node %.8s joins from %s with %d slots", e.Node.ID, e.Node.Addr.Client(), e.Slots.Len())
	case UpdateNode:
		return fmt.Sprintf("node %.8s is run %s at %s", e.Node, e.Run, e.Addr.Client())
	case RemoveNode:
		return fmt.Sprintf("node %.8s incarnation %d removed", e.Node, e.Incarnation)
	case Lead:
		return fmt.Sprintf("node %.8s leads in raft term %d", e.Node, e.RaftTerm)
	case SetVoters:
		return fmt.Sprintf("%d voters", len(e.Voters))
	case AssignSlots:
		return fmt.Sprintf("shard %.8s gains %d slots and gives up %d", e.Shard, e.Add.Len(), e.Del.Len())
	case SetReplicaOf:
		return fmt.Sprintf("node %.8s becomes a replica in shard %.8s", e.Node, e.Shard)
	case Promote:
		return describePromote(&e)
	case ShrinkInSync:
		return fmt.Sprintf("node %.8s leaves the in-sync set of shard %.8s in term %d", e.Member.Node, e.Shard, e.Term)
	case GrowInSync:
		return fmt.Sprintf("node %.8s enters the in-sync set of shard %.8s in term %d", e.Member.Node, e.Shard, e.Term)
	case BeginMove:
		return fmt.Sprintf("job %s moves %d slots from shard %.8s to %.8s", e.Job, e.Slots.Len(), e.Source, e.Target)
	case CommitMove:
		return fmt.Sprintf("job %s attempt %d committed", e.Job, e.Attempt)
	case AbortMove:
		if e.Final {
			return fmt.Sprintf("job %s ended at attempt %d: %s", e.Job, e.Attempt, e.Reason)
		}
		return fmt.Sprintf("job %s attempt %d aborted: %s", e.Job, e.Attempt, e.Reason)
	case SetOpenSlot:
		return fmt.Sprintf("slot %d %s in shard %.8s, peer %.8s", e.Slot, e.State, e.Shard, e.Peer)
	case CloseSlot:
		return fmt.Sprintf("slot %d closed in shard %.8s", e.Slot, e.Shard)
	case BumpEpoch:
		return fmt.Sprintf("new epoch for shard %.8s", e.Shard)
	case SetClusterConfig:
		return describeConfig(&e)
	case Batch:
		return fmt.Sprintf("%d entries as one", len(e.Entries))
	}
	return string(e.Kind())
}

func describeConfig(e *SetClusterConfig) string {
	text := "cluster settings:"
	if e.SyncWrites != "" {
		text += " sync-writes " + string(e.SyncWrites)
	}
	if e.SyncMinCopies != nil {
		text += fmt.Sprintf(" sync-min-copies %d", *e.SyncMinCopies)
	}
	if e.SyncTimeoutMillis != nil {
		text += fmt.Sprintf(" sync-timeout %d ms", *e.SyncTimeoutMillis)
	}
	return text
}

func describePromote(e *Promote) string {
	text := fmt.Sprintf("node %.8s promoted in shard %.8s after term %d (%s", e.Candidate, e.Shard, e.Term, e.Mode)
	if e.Cause != "" {
		text += ", " + e.Cause
	}
	text += fmt.Sprintf("), offset %d", e.Offset)
	switch {
	case e.Empty:
		text += ", came back empty: all data of the shard is lost"
	case e.Lost > 0:
		text += fmt.Sprintf(", up to %d bytes of effects lost", e.Lost)
	case e.Lost < 0:
		text += ", effects may be lost"
	}
	return text
}
