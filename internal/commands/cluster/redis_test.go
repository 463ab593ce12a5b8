package cluster

import (
	"maps"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/config"
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
	}
	got := make(map[string]string)
	for _, diff := range commandtest.TableDiff(table, redis) {
		got[diff.Command+" "+diff.Field] = diff.Redis + " " + diff.Ours
	}
	if !maps.Equal(got, known) {
		t.Errorf("the table differs from redis-server's in %v, expected %v", got, known)
	}
}
