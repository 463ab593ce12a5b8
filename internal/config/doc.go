// Package config owns the settings of a node: the grammar of redis.conf, the table
// of directives, their values now, and CONFIG GET, SET and REWRITE over them. A
// directive stands in one literal (network.go, cluster.go, ...), which binds its
// name to the field of Config that the server reads.
//
// A setting that nothing honours is never accepted as if it worked. A directive
// either takes effect (at once, or at the next start), or takes only the value that
// describes what the server does anyway, or tunes a part that does not exist here,
// in which case it is kept and shown and docs/configuration.md says so.
//
// The package starts nothing and applies nothing by itself: cmd/node loads it,
// internal/node registers what must happen when a value changes (OnChange), and
// commands/admin answers CONFIG from it.
package config
