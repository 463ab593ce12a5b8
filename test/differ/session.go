package differ

import (
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands"
	"github.com/redwingdb/redwing/internal/commands/admin"
	"github.com/redwingdb/redwing/internal/commands/keys"
)

// session runs requests on our handlers; of connection commands it knows SELECT alone.
type session struct{ *commandtest.Runner }

func newSession(t testing.TB) session {
	s := session{commandtest.NewRunner(t, 16, commands.OnKeys(keys.Deps{})...)}
	// DEBUG looks at the runner's keyspace, so it can join the table only now.
	table, err := command.NewTable(append(commands.OnKeys(keys.Deps{}), admin.Specs(admin.Deps{Keyspace: s.Keyspace}))...)
	if err != nil {
		t.Fatal(err)
	}
	s.Table = table
	return s
}

func (s session) do(words ...string) string {
	s.Ctx.Block.Reset()
	if len(words) == 2 && strings.EqualFold(words[0], "select") {
		if db, err := strconv.Atoi(words[1]); err == nil && db >= 0 && db < 16 {
			s.DB = db
			return "+OK\r\n"
		}
		return "-ERR DB index is out of range\r\n"
	}
	s.Ctx.InExec = s.blocking(words) // a Runner cannot park anybody
	return string(s.Do(words...))
}

// blocking reports whether a request may have to wait.
func (s session) blocking(words []string) bool {
	spec := s.Table.Lookup([]byte(words[0]))
	return spec != nil && spec.Has(command.Blocking)
}
