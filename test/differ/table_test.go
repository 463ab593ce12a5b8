package differ

import (
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/admin"
	"github.com/redwingdb/redwing/internal/commands/cluster"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/replication"
	"github.com/redwingdb/redwing/internal/server"
)

// TestTable compares what the specs of every command for clients say with what
// redis-server says of it.
func TestTable(t *testing.T) {
	known, err := LoadKnown("table ")
	if err != nil {
		t.Fatal(err)
	}
	var r *replication.Replication // its specs are asked for, never run
	table, err := command.NewTable(str.Specs(), keys.Specs(keys.Deps{}), server.Specs(),
		admin.Specs(admin.Deps{}), cluster.Specs(cluster.Deps{}), r.Specs())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range commandtest.TableDiff(table, commandtest.StartRedis(t)) {
		if err := known.Check("table "+d.Command+" "+d.Field, d.Redis, d.Ours); err != nil {
			t.Error(err)
		}
	}
	if gone := known.Gone(); len(gone) > 0 && !t.Failed() {
		t.Errorf("differences of known.tsv that have gone: %q", gone)
	}
}
