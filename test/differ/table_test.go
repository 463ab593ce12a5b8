package differ

import (
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands"
	"github.com/redwingdb/redwing/internal/commands/admin"
	"github.com/redwingdb/redwing/internal/commands/cluster"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/replication"
	"github.com/redwingdb/redwing/internal/server"
)

// complete are the ACL categories of which no command may be missing.
var complete = []string{"string", "bitmap", "hyperloglog", "set", "stream", "keyspace", "transaction"}

func wholeTable(t *testing.T) *command.Table {
	var r *replication.Replication // its specs are asked for, never run
	table, err := command.NewTable(append(commands.OnKeys(keys.Deps{}), server.Specs(),
		admin.Specs(admin.Deps{}), cluster.Specs(cluster.Deps{}), r.Specs())...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// has reports whether t has a command of this full name.
func has(t *command.Table, fullName string) bool {
	name, sub, isSub := strings.Cut(fullName, "|")
	s := t.Lookup([]byte(name))
	return s != nil && (!isSub || s.Sub([]byte(sub)) != nil)
}

// TestTable compares what the specs of every command for clients say with what
// redis-server says of it.
func TestTable(t *testing.T) {
	known, err := LoadKnown("table ")
	if err != nil {
		t.Fatal(err)
	}
	table, redis := wholeTable(t), commandtest.StartRedis(t)
	for _, d := range commandtest.TableDiff(table, redis) {
		if err := known.Check("table "+d.Command+" "+d.Field, d.Redis, d.Ours); err != nil {
			t.Error(err)
		}
	}
	for _, category := range complete {
		for _, name := range redis.Ask("COMMAND", "LIST", "FILTERBY", "ACLCAT", category).Strings() {
			if has(table, name) {
				continue
			}
			if err := known.Check("table "+name+" command", "present", "absent"); err != nil {
				t.Error(err)
			}
		}
	}
	if gone := known.Gone(); len(gone) > 0 && !t.Failed() {
		t.Errorf("differences of known.tsv that have gone: %q", gone)
	}
}
