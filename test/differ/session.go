package differ

import (
	"strconv"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/command/commandtest"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/str"
)

// session runs requests on our handlers; of connection commands it knows SELECT alone.
type session struct{ *commandtest.Runner }

func newSession(t testing.TB) session {
	return session{commandtest.NewRunner(t, 16, str.Specs(), keys.Specs(keys.Deps{}))}
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
	return string(s.Do(words...))
}
