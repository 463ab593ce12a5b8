package node

import (
	"math"

	"github.com/redwingdb/redwing/internal/config"
	"github.com/redwingdb/redwing/internal/engine"
)

// bindLimits gives the keyspace the bounds of the compact encodings and keeps them true
// when CONFIG SET changes one.
func bindLimits(cfg *config.Config, ks *engine.Keyspace) {
	apply := func() error {
		l := *ks.Limits()
		for _, b := range limitsOf(cfg, &l) {
			*b.limit = int(min(b.setting.Get(), math.MaxInt32))
		}
		ks.SetLimits(l)
		return nil
	}
	_ = apply() // never fails
	for _, b := range limitsOf(cfg, &engine.Limits{}) {
		cfg.OnChange(b.directive, apply)
	}
}

type boundLimit struct {
	directive string
	setting   *config.Int
	limit     *int
}

func limitsOf(c *config.Config, l *engine.Limits) []boundLimit {
	return []boundLimit{
		{"hash-max-listpack-entries", &c.HashMaxListpackEntries, &l.HashEntries},
		{"hash-max-listpack-value", &c.HashMaxListpackValueBytes, &l.HashValue},
		{"list-max-listpack-size", &c.ListMaxListpackSize, &l.ListSize},
		{"set-max-intset-entries", &c.SetMaxIntsetEntries, &l.SetIntset},
		{"set-max-listpack-entries", &c.SetMaxListpackEntries, &l.SetEntries},
		{"set-max-listpack-value", &c.SetMaxListpackValueBytes, &l.SetValue},
		{"zset-max-listpack-entries", &c.ZSetMaxListpackEntries, &l.ZSetEntries},
		{"zset-max-listpack-value", &c.ZSetMaxListpackValueBytes, &l.ZSetValue},
		{"hll-sparse-max-bytes", &c.HLLSparseMaxBytes, &l.HLLSparse},
		{"stream-node-max-bytes", &c.StreamNodeMaxBytes, &l.StreamNodeBytes},
		{"stream-node-max-entries", &c.StreamNodeMaxEntries, &l.StreamNodeEntries},
	}
}
