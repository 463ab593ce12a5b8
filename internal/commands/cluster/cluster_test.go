package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
	"github.com/redwingdb/redwing/internal/topology"
)

func TestNodes(t *testing.T) {
	r := newRig(t, false)
	a, b, c, d := id("a"), id("b"), id("c"), id("d")
	r.is("cluster nodes", a+" 10.0.0.1:1@10001 myself,master - 0 0 6 connected 0-99 200\n"+
		b+" 10.0.0.2:2@10002 slave "+a+" 0 1700 6 connected\n"+
		c+" 10.0.0.3:3@10003,c.example master - 0 1800 7 connected 100-199\n"+
		d+" 10.0.0.4:4@10004 master,fail - 1600 1500 3 disconnected\n")
	r.is("cluster replicas "+a, "["+b+" 10.0.0.2:2@10002 slave "+a+" 0 1700 6 connected]")
	r.is("cluster slaves "+b, "-ERR The specified node is not a master")
	r.is("cluster slaves nosuch", "-ERR Unknown node nosuch")

	// A node shows the open slots of its own shard, of no other.
	r.control.self = topology.NodeID(c)
	if got := r.do("cluster nodes"); !strings.Contains(got, "100-199 [150->-"+a+"] [300-<-"+d+"]\n") || strings.Count(got, "[") != 2 {
		t.Error(got)
	}
	r.control.view.Nodes[1].Priority = 0
	r.control.health[topology.NodeID(b)] = Health{Suspect: true}
	if got := r.do("cluster nodes"); !strings.Contains(got, " slave,fail?,nofailover "+a+" 0 0 6 disconnected\n") {
		t.Error(got)
	}
}

func TestSlots(t *testing.T) {
	r := newRig(t, false)
	a, b, c := id("a"), id("b"), id("c")
	primary := "[10.0.0.1 1 " + a + " []] [10.0.0.2 2 " + b + " []]"
	r.is("cluster slots", "[[0 99 "+primary+"] [100 199 [10.0.0.3 3 "+c+" [hostname c.example]]] [200 200 "+primary+"]]")

	r.control.health[topology.NodeID(b)] = Health{Linked: true, Loading: true}
	r.set("cluster-preferred-endpoint-type", "hostname")
	r.is("cluster slots", "[[0 99 [? 1 "+a+" [ip 10.0.0.1]]] [100 199 [c.example 3 "+c+" [ip 10.0.0.3]]] [200 200 [? 1 "+a+" [ip 10.0.0.1]]]]")

	r.set("cluster-preferred-endpoint-type", "unknown-endpoint")
	r.resp3 = true
	r.is("cluster slots", "[[0 99 [nil 1 "+a+" {ip 10.0.0.1}]] [100 199 [nil 3 "+c+" {ip 10.0.0.3 hostname c.example}]] [200 200 [nil 1 "+a+" {ip 10.0.0.1}]]]")
}

func TestShards(t *testing.T) {
	r := newRig(t, false)
	r.resp3 = true
	r.control.health[topology.NodeID(id("b"))] = Health{Linked: true, Loading: true}
	r.is("cluster shards", "[{slots [0 99 200 200] nodes ["+
		"{id "+id("a")+" port 1 ip 10.0.0.1 endpoint 10.0.0.1 role master replication-offset 1000 health online} "+
		"{id "+id("b")+" port 2 ip 10.0.0.2 endpoint 10.0.0.2 role replica replication-offset 0 health loading}]} "+
		"{slots [100 199] nodes ["+
		"{id "+id("c")+" port 3 ip 10.0.0.3 endpoint 10.0.0.3 hostname c.example role master replication-offset 0 health online}]} "+
		"{slots [] nodes ["+
		"{id "+id("d")+" port 4 ip 10.0.0.4 endpoint 10.0.0.4 role master replication-offset 0 health fail}]}]")
}

func TestInfo(t *testing.T) {
	r := newRig(t, false)
	const want = "cluster_state:%s\r\ncluster_slots_assigned:201\r\ncluster_slots_ok:201\r\ncluster_slots_pfail:0\r\ncluster_slots_fail:0\r\n" +
		"cluster_known_nodes:4\r\ncluster_size:2\r\ncluster_current_epoch:7\r\ncluster_my_epoch:6\r\n" +
		"cluster_stats_messages_sent:11\r\ncluster_stats_messages_received:22\r\ntotal_cluster_links_buffer_limit_exceeded:0\r\n" +
		"redwing_cluster_id:" + "9999999999999999999999999999999999999999" + "\r\nredwing_cluster_generation:1\r\nredwing_view_index:42\r\n" +
		"redwing_shard_term:4\r\nredwing_voters:1\r\nredwing_voters_wanted:3\r\nredwing_open_moves:1\r\n" +
		"redwing_bus_dropped_cluster:1\r\nredwing_bus_dropped_malformed:2\r\n"
	r.is("cluster info", fmt.Sprintf(want, "fail")) // slots without owner
	r.set("cluster-require-full-coverage", "no")
	r.is("cluster info", fmt.Sprintf(want, "ok"))
	r.control.quorum = false
	r.is("cluster info", fmt.Sprintf(want, "fail"))
	r.control.health[topology.NodeID(id("c"))] = Health{Failed: true}
	if got := r.do("cluster info"); !strings.Contains(got, "cluster_slots_ok:101\r\ncluster_slots_pfail:0\r\ncluster_slots_fail:100\r\n") {
		t.Error(got)
	}
	r.is("cluster myid", id("a"))
	r.is("cluster myshardid", id("1"))
}

func TestAloneWithoutCluster(t *testing.T) {
	r := newRig(t, false)
	r.control.view = topology.NewView()
	r.is("cluster nodes", id("a")+" :7000@17000 myself,master - 0 0 0 connected\n")
	r.is("cluster slots", "[]")
	r.is("cluster myshardid", id("f"))
	r.is("cluster set-config-epoch -1", "-ERR Invalid config epoch specified: -1")
	r.is("cluster set-config-epoch a", "-ERR value is not an integer or out of range")
	r.is("cluster set-config-epoch 5", "OK")
	r.is("cluster set-config-epoch 6", "-ERR Node config epoch is already non-zero")
	r.is("cluster nodes", id("a")+" :7000@17000 myself,master - 0 0 5 connected\n")
	if got := r.do("cluster info"); !strings.HasPrefix(got, "cluster_state:fail\r\ncluster_slots_assigned:0\r\n") || !strings.Contains(got, "known_nodes:1\r\ncluster_size:0\r\ncluster_current_epoch:5\r\ncluster_my_epoch:5\r\n") {
		t.Error(got)
	}
	r.is("cluster replicate "+id("c"), "-ERR Unknown node "+id("c"))
	r.is("cluster addslots 0 5", "OK")
	r.asked("epoch 5", "add 0 5")
}

func (r *rig) asked(want ...string) {
	r.Helper()
	if !slices.Equal(r.control.calls, want) {
		r.Errorf("the control plane was asked for %q, want %q", r.control.calls, want)
	}
	r.control.calls = nil
}

// The texts are those of redis-server 7.0.15 in the same state.
func TestSlotArguments(t *testing.T) {
	r := newRig(t, false)
	for _, tc := range [][2]string{
		{"addslots a", "-ERR Invalid or out of range slot"},
		{"addslots 16384", "-ERR Invalid or out of range slot"},
		{"addslots -1", "-ERR Invalid or out of range slot"},
		{"addslots 1000 1000", "-ERR Slot 1000 specified multiple times"},
		{"addslots 1000 5", "-ERR Slot 5 is already busy"},
		{"delslots 1000", "-ERR Slot 1000 is already unassigned"},
		{"addslotsrange 5 4", "-ERR start slot number 5 is greater than end slot number 4"},
		{"addslotsrange 5", "-ERR wrong number of arguments for 'cluster|addslotsrange' command"},
		{"addslotsrange 5 6 7", "-ERR wrong number of arguments for 'cluster|addslotsrange' command"},
		{"addslotsrange 1000 1010 1010 1011", "-ERR Slot 1010 specified multiple times"},
		{"delslotsrange 90 250", "-ERR Slot 201 is already unassigned"},
		{"keyslot foo", "12182"},
		{"countkeysinslot a", "-ERR value is not an integer or out of range"},
		{"countkeysinslot 16384", "-ERR Invalid slot"},
		{"getkeysinslot 1 -1", "-ERR Invalid slot or number of keys"},
		{"getkeysinslot 99999 1", "-ERR Invalid slot or number of keys"},
		{"getkeysinslot 1 a", "-ERR value is not an integer or out of range"},
		{"getkeysinslot 1 5", "[]"},
		{"foo", "-ERR unknown subcommand 'foo'. Try CLUSTER HELP."},
		{"nodes x", "-ERR wrong number of arguments for 'cluster|nodes' command"},
	} {
		r.is("cluster "+tc[0], tc[1])
	}
	r.asked()
	r.is("cluster addslots 1000 1002 1001", "OK")
	r.is("cluster delslots 7 150 200", "OK") // 150 belongs to another shard and stays there
	r.is("cluster delslotsrange 100 110", "OK")
	r.asked("add 1000-1002", "del 7 200")
	r.control.answer = context.DeadlineExceeded
	r.is("cluster addslots 1000", "-ERR The change was not confirmed in time and may still happen: context deadline exceeded")
	r.control.answer = fmt.Errorf("propose: %w", topology.ErrSlotOwned)
	r.is("cluster addslots 1000", "-ERR propose: topology: slot is owned")
}

func TestKeysInSlot(t *testing.T) {
	r := newRig(t, false)
	slot := slots.Of([]byte("{t}"))
	r.ks.Lock(r.ks.AllShards())
	db := r.ks.Access(0, 1, engine.ModePrimary)
	for i := range 5 {
		key := []byte(fmt.Sprintf("{t}%d", i))
		if err := db.SetString(slot, key, []byte("v"), 0); err != nil {
			t.Fatal(err)
		}
	}
	r.ks.Unlock(r.ks.AllShards())
	r.is(fmt.Sprintf("cluster countkeysinslot %d", slot), "5")
	for limit, want := range map[int]int{0: 0, 2: 2, 5: 5, 99: 5} {
		got := r.do(fmt.Sprintf("cluster getkeysinslot %d %d", slot, limit))
		if n := strings.Count(got, "{t}"); n != want {
			t.Errorf("limit %d: %s", limit, got)
		}
	}
	r.is("cluster reset", "-ERR CLUSTER RESET can't be called with master nodes containing keys")
	r.is("cluster flushslots", "-ERR DB must be empty to perform CLUSTER FLUSHSLOTS.")
	r.control.self = topology.NodeID(id("d")) // no slots, but keys
	r.is("cluster replicate "+id("c"), "-ERR To set a master the node must be empty and without assigned slots.")
}

func TestMembership(t *testing.T) {
	r := newRig(t, false)
	for _, tc := range [][2]string{
		{"meet a b", "-ERR Invalid TCP base port specified: b"},
		{"meet 127.0.0.1 99999", "-ERR Invalid node address specified: 127.0.0.1:99999"},
		{"meet 127.0.0.1 7001 x", "-ERR Invalid TCP bus port specified: x"},
		{"meet foo 7001", "-ERR Invalid node address specified: foo:7001"},
		{"replicate abc", "-ERR Unknown node abc"},
		{"replicate " + id("a"), "-ERR Can't replicate myself"},
		{"replicate " + id("b"), "-ERR I can only replicate a master, not a replica."},
		{"replicate " + id("c"), "-ERR To set a master the node must be empty and without assigned slots."},
		{"forget abc", "-ERR Unknown node abc"},
		{"forget " + id("a"), "-ERR I tried hard but I can't forget myself..."},
		{"forget " + id("e"), "OK"}, // it left before
		{"reset foo", "-ERR syntax error"},
		{"failover foo", "-ERR syntax error"},
		{"failover", "-ERR You should send CLUSTER FAILOVER to a replica"},
		{"set-config-epoch 9", "-ERR The user can assign a config epoch only when the node does not know any other node."},
	} {
		r.is("cluster "+tc[0], tc[1])
	}
	r.asked()
	r.is("cluster meet 127.0.0.1 7001", "OK")
	r.is("cluster meet ::1 7001 8001", "OK")
	r.is("cluster forget "+id("d"), "OK")
	r.is("cluster reset", "OK")
	r.is("cluster reset HARD", "OK")
	r.is("cluster flushslots", "OK")
	r.asked("meet 127.0.0.1 7001 17001", "meet ::1 7001 8001", "forget d", "reset false", "reset true", "del 0-99 200")

	r.control.self = topology.NodeID(id("b"))
	r.is("cluster forget "+id("a"), "-ERR Can't forget my master!")
	r.is("cluster replicate "+id("a"), "OK") // it does
	r.is("cluster failover", "OK")
	r.is("cluster failover force", "OK")
	r.is("cluster failover TAKEOVER", "OK")
	r.asked("failover 0", "failover 1", "failover 2")
	r.control.health[topology.NodeID(id("a"))] = Health{Failed: true}
	r.is("cluster failover", "-ERR Master is down or failed, please use CLUSTER FAILOVER FORCE")
	r.control.self = topology.NodeID(id("d"))
	r.is("cluster replicate "+id("c"), "OK")
	r.asked("replicate c")
}

func TestSlotMigrations(t *testing.T) {
	r := newRig(t, false)
	c, d := id("c"), id("d")
	for _, tc := range [][2]string{
		{"slotsrange 0 1", "-ERR syntax error"},
		{"slotsrange 0 1 2 node " + c, "-ERR syntax error"},
		{"slotsrange node " + c, "-ERR syntax error"},
		{"slots 0 1 node " + c, "-ERR syntax error"},
		{"slotsrange 0 1 node", "-ERR syntax error"},
		{"slotsrange 0 99999 node " + c, "-ERR Invalid or out of range slot"},
		{"slotsrange 0 1 node nosuch", "-ERR Unknown node nosuch"},
		{"slotsrange 0 1 node " + id("a"), "-ERR Target node can not be this node."},
		{"slotsrange 0 1 node " + id("b"), "-ERR Target node is not a primary."},
		{"slotsrange 0 1 node " + c + " slotsrange 1 2 node " + d, "-ERR Slot 1 specified multiple times"},
		{"slotsrange 99 100 node " + c, "-ERR Slots are not served by this node."},
		{"slotsrange 4 5 node " + c, "-ERR Slot 5 is already being moved by job " + id("6")},
	} {
		r.is("cluster migrateslots "+tc[0], tc[1])
	}
	r.asked()
	r.is("cluster migrateslots SLOTSRANGE 0 1 20 21 NODE "+c+" SLOTSRANGE 3 3 NODE "+d, "OK")
	r.is("cluster cancelslotmigrations", "OK")
	r.is("cluster cancelslotmigrations all", "OK")
	r.is("cluster cancelslotmigrations some", "-ERR syntax error")
	r.asked("move 0-1 20-21 to c", "move 3 to d", "cancel", "cancel")

	r.resp3 = true
	open := "{name " + id("6") + " operation %s slot_ranges 5-7 9-9 target_node " + d + " source_node " + id("a") +
		" create_time 3 last_update_time 4 last_ack_time 5 state replicating message \"\" cow_size 0 remaining_repl_size 77 keys_done 3 keys_total 8}"
	done := "{name " + id("5") + " operation %s slot_ranges 199-199 target_node " + c + " source_node " + id("a") +
		" create_time 1 last_update_time 2 last_ack_time 0 state success message \"\" cow_size 0 remaining_repl_size 0 keys_done 0 keys_total 0}"
	r.is("cluster getslotmigrations", "["+fmt.Sprintf(open, "EXPORT")+" "+fmt.Sprintf(done, "EXPORT")+"]")
	r.control.self = topology.NodeID(c)
	r.is("cluster getslotmigrations", "[{name "+id("7")+" operation EXPORT slot_ranges 100-101 target_node "+d+" source_node "+c+
		" create_time 3 last_update_time 4 last_ack_time 0 state failed message target is gone cow_size 0 remaining_repl_size 0 keys_done 0 keys_total 0} "+fmt.Sprintf(done, "IMPORT")+"]")
}

func TestWriteConcern(t *testing.T) {
	r := newRig(t, false)
	r.control.view.Config = topology.ClusterConfig{SyncWrites: topology.SyncAllowed, SyncMinCopies: 2}
	got := r.do("cluster write-concern")
	for _, want := range []string{"sync-writes allowed", "sync-min-copies 2", "sync-timeout 2000", "copies 2 min-copies 2 in-sync [" + id("a") + "]"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
	for line, want := range map[string]string{
		"cluster write-concern set sync-writes always":                 "cluster settings: sync-writes always",
		"cluster write-concern set SYNC-TIMEOUT 500 sync-min-copies 0": "cluster settings: sync-min-copies 0 sync-timeout 500 ms",
		"cluster write-concern set sync-writes":                        "-ERR syntax error",
		"cluster write-concern get":                                    "-ERR syntax error",
		"cluster write-concern set sync-writes maybe":                  "-" + errSyncWrites.Error(),
		"cluster write-concern set sync-min-copies -1":                 "-" + errSyncMinCopies.Error(),
		"cluster write-concern set sync-writes no sync-timeout 1":      "-" + errSyncTimeout.Error(),
		"cluster write-concern set appendfsync always":                 "-ERR syntax error",
	} {
		r.control.calls = nil
		got := r.do(line)
		if len(r.control.calls) > 0 && got == "OK" {
			got = r.control.calls[0]
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestPlainServer(t *testing.T) {
	r := newRig(t, true)
	for _, line := range []string{"cluster info", "cluster nodes", "cluster keyslot a", "cluster addslots 1", "cluster help", "cluster getkeysinslot 1 1"} {
		r.is(line, "-ERR This instance has cluster support disabled")
	}
	r.is("cluster", "-ERR wrong number of arguments for 'cluster' command")
}

func TestHelpNamesEverySubcommand(t *testing.T) {
	r := newRig(t, false)
	text := r.do("cluster help")
	for _, sub := range r.table.Lookup([]byte("cluster")).Subs {
		if name := strings.ToUpper(sub.Name); name != "SLAVES" && !strings.Contains(text, name) {
			t.Errorf("CLUSTER HELP does not name %s", name)
		}
	}
}

func TestSlotStats(t *testing.T) {
	r := newRig(t, false)
	for slot, keys := range map[slots.Slot]int{3: 2, 7: 5, 200: 5, 150: 9} { // 150 is another shard's
		a := r.ks.Access(0, 1, engine.ModePrimary)
		r.ks.Lock(r.ks.Mask(slot))
		for i := range keys {
			if err := a.SetInt(slot, []byte{byte(i)}, 1, 0); err != nil {
				t.Fatal(err)
			}
		}
		r.ks.Unlock(r.ks.Mask(slot))
	}
	r.is("CLUSTER SLOT-STATS SLOTSRANGE 6 7", "[[6 [key-count 0]] [7 [key-count 5]]]")
	r.is("CLUSTER SLOT-STATS SLOTSRANGE 100 199", "[]")
	r.is("CLUSTER SLOT-STATS SLOTSRANGE 150 250", "[[200 [key-count 5]]]")
	r.is("CLUSTER SLOT-STATS ORDERBY KEY-COUNT LIMIT 4", "[[7 [key-count 5]] [200 [key-count 5]] [3 [key-count 2]] [0 [key-count 0]]]")
	r.is("CLUSTER SLOT-STATS ORDERBY key-count desc LIMIT 1", "[[7 [key-count 5]]]")
	r.is("CLUSTER SLOT-STATS ORDERBY key-count LIMIT 2 ASC", "[[0 [key-count 0]] [1 [key-count 0]]]")
	for line, want := range map[string]string{
		"SLOTSRANGE 7 6":                        "-ERR Start slot number 7 is greater than end slot number 6",
		"SLOTSRANGE 0 16384":                    "-ERR Invalid or out of range slot",
		"SLOTSRANGE -1 0":                       "-ERR Invalid or out of range slot",
		"SLOTSRANGE 9223372036854775808 0":      "-ERR Invalid or out of range slot",
		"SLOTSRANGE 0":                          "-ERR unknown subcommand or wrong number of arguments for 'SLOT-STATS'. Try CLUSTER HELP.",
		"SLOTS 0 1":                             "-ERR unknown subcommand or wrong number of arguments for 'SLOT-STATS'. Try CLUSTER HELP.",
		"ORDERBY cpu-usec":                      "-ERR Unrecognized sort metric for ORDERBY.",
		"ORDERBY nothing":                       "-ERR Unrecognized sort metric for ORDERBY.",
		"ORDERBY key-count LIMIT 0":             "-ERR Limit has to lie in between 1 and 16384 (maximum number of slots).",
		"ORDERBY key-count LIMIT 16385":         "-ERR Limit has to lie in between 1 and 16384 (maximum number of slots).",
		"ORDERBY key-count LIMIT x":             "-ERR Limit has to lie in between 1 and 16384 (maximum number of slots).",
		"ORDERBY key-count LIMIT":               "-ERR syntax error",
		"ORDERBY key-count ASC UP":              "-ERR syntax error",
		"ORDERBY key-count ASC DESC":            "-ERR Multiple filters of the same type are disallowed.",
		"ORDERBY key-count LIMIT 1 LIMIT 2":     "-ERR Multiple filters of the same type are disallowed.",
		"ORDERBY key-count ASC LIMIT 1 LIMIT 1": "-ERR Multiple filters of the same type are disallowed.",
	} {
		r.is("CLUSTER SLOT-STATS "+line, want)
	}
	r.slotUse = func(s slots.Slot) (SlotUse, bool) { return SlotUse{int64(s) * 1000, 10, 500 - int64(s)}, true }
	r.is("CLUSTER SLOT-STATS SLOTSRANGE 7 7", "[[7 [key-count 5 cpu-usec 7 network-bytes-in 10 network-bytes-out 493]]]")
	r.is("CLUSTER SLOT-STATS ORDERBY cpu-usec LIMIT 1", "[[200 [key-count 5 cpu-usec 200 network-bytes-in 10 network-bytes-out 300]]]")
	r.is("CLUSTER SLOT-STATS ORDERBY network-bytes-in LIMIT 1", "[[0 [key-count 0 cpu-usec 0 network-bytes-in 10 network-bytes-out 500]]]")
	r.is("CLUSTER SLOT-STATS ORDERBY network-bytes-out LIMIT 1 ASC", "[[200 [key-count 5 cpu-usec 200 network-bytes-in 10 network-bytes-out 300]]]")
	r.resp3 = true
	if got := r.raw("CLUSTER SLOT-STATS SLOTSRANGE 7 7"); !strings.HasPrefix(got, "*1\r\n*2\r\n:7\r\n%4\r\n$9\r\nkey-count\r\n:5\r\n") {
		t.Errorf("in RESP3 %q", got)
	}
}
