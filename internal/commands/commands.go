// Package commands lists the groups of commands that act on keys, one group a type, so
// that a node and the tests that compare with redis-server take them from one place. It
// holds no handler; a new group is added here alone.
package commands

import (
	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/commands/bitmap"
	"github.com/redwingdb/redwing/internal/commands/geo"
	"github.com/redwingdb/redwing/internal/commands/hash"
	"github.com/redwingdb/redwing/internal/commands/hll"
	"github.com/redwingdb/redwing/internal/commands/keys"
	"github.com/redwingdb/redwing/internal/commands/list"
	"github.com/redwingdb/redwing/internal/commands/serial"
	"github.com/redwingdb/redwing/internal/commands/set"
	"github.com/redwingdb/redwing/internal/commands/sorting"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/commands/stream"
	"github.com/redwingdb/redwing/internal/commands/zset"
)

// OnKeys returns the specs of every command on keys and databases.
func OnKeys(d keys.Deps) [][]command.Spec {
	return [][]command.Spec{
		str.Specs(),
		bitmap.Specs(),
		hll.Specs(),
		list.Specs(),
		hash.Specs(hash.Deps{}),
		stream.Specs(),
		set.Specs(set.Deps{Random: d.Random}),
		zset.Specs(zset.Deps{Random: d.Random}),
		geo.Specs(),
		keys.Specs(d),
		serial.Specs(serial.Deps{Cluster: d.Cluster, SyncWrites: d.SyncWrites}),
		sorting.Specs(sorting.Deps{Cluster: d.Cluster}),
	}
}
