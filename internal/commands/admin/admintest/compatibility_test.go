package admintest

import (
	"slices"
	"testing"

	"github.com/redwingdb/redwing/internal/command"
)

func TestCompatibilityFaults(t *testing.T) {
	nop := func(*command.Ctx) error { return nil }
	table, err := command.NewTable([]command.Spec{
		{Name: "ping", Arity: -1, Run: nop},
		{Name: "time", Arity: 1, Run: nop},
		{Name: "echo", Arity: 1, Run: nop},
		{Name: "config", Arity: -2, Subs: []command.Spec{{Name: "get", Arity: -3, Run: nop}, {Name: "set", Arity: -3, Run: nop}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := CompatibilityFaults("# Title\n\nSupported: `ping`, `config\nget`, `lost`, `echo`.\n\nNot yet: `time`, `acl list`,\n`echo`\n\nSome `word` elsewhere.\n", table)
	want := []string{
		"config set is not named",
		"echo is called missing, but it is in the table",
		"echo is named twice",
		"lost is called supported, but it is not in the table",
		"time is called missing, but it is in the table",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := CompatibilityFaults("Supported: `ping` `time` `echo` `config get`\n`config set`\n\nNot yet: `acl list`", table); got != nil {
		t.Errorf("%q", got)
	}
}
