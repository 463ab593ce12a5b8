package cluster

import (
	"fmt"
	"maps"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/slots"
)

// The table is that of redis-server, but for what came after it.
func TestTableAgainstRedis(t *testing.T) {
	redis := commandtest.StartRedis(t)
	table, err := command.NewTable(Specs(Deps{Config: config.New()}))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{
		"cluster|cancelslotmigrations command": "absent present", // Valkey 9
		"cluster|getslotmigrations command":    "absent present",
		"cluster|migrateslots command":         "absent present",
		"cluster|myshardid command":            "absent present", // Redis 7.2
		"cluster|slot-stats command":           "absent present", // Redis 8.2
		"cluster|write-concern command":        "absent present", // ours
	}
	got := make(map[string]string)
	for _, diff := range commandtest.TableDiff(table, redis) {
		got[diff.Command+" "+diff.Field] = diff.Redis + " " + diff.Ours
	}
	if !maps.Equal(got, known) {
		t.Errorf("the table differs from redis-server's in %v, expected %v", got, known)
	}
}

// More keys than may be listed under a mutex are listed by an owner of the shard.
func TestManyKeysInSlot(t *testing.T) {
	deps := Deps{Control: &fakeControl{view: testView(), self: "a"}, Config: config.New()}
	r := commandtest.NewRunner(t, 1, specsOf(&deps))
	deps.Keyspace = r.Keyspace
	slot := slots.Of([]byte("{t}"))
	const keys = command.SlowElements + 1
	r.Keyspace.Lock(r.Keyspace.AllShards())
	db := r.Keyspace.Access(0, 1, engine.ModePrimary)
	for i := range keys {
		if err := db.SetString(slot, fmt.Appendf(nil, "{t}%d", i), []byte("v"), 0); err != nil {
			t.Fatal(err)
		}
	}
	r.Keyspace.Unlock(r.Keyspace.AllShards())
	for limit, owned := range map[int]int{command.SlowElements: 0, keys: 1, 1 << 30: 1} {
		r.Owned = 0
		reply, err := commandtest.Parse(r.Do("CLUSTER", "GETKEYSINSLOT", fmt.Sprint(slot), fmt.Sprint(limit)))
		distinct := make(map[string]bool)
		for _, key := range reply.Strings() {
			distinct[key] = true
		}
		if err != nil || len(distinct) != min(limit, keys) || len(reply.Items) != len(distinct) || r.Owned != owned {
			t.Errorf("limit %d: %d keys of %d, %d times as an owner, %v", limit, len(distinct), len(reply.Items), r.Owned, err)
		}
	}
}
