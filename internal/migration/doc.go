// Package migration moves slots between shards as jobs of the topology log: the whole
// of a set of slots changes its owner at one entry of that log, and until then the
// source owns everything, so no client ever sees a half-open slot.
//
// It owns the move jobs (a pure machine for either side, see SourceJob and TargetJob),
// their drivers over one bus connection each, the staged slots of a target and of its
// replicas, and the holds that keep commands off slots that are about to change hands.
// It never decides who owns a slot: it proposes, and obeys what the applied log says.
// It never touches a client's connection: the server asks Held and parks.
//
// internal/node builds it, the server's gate calls Holds, the topology log calls back
// with new Views, and the bus hands in connections of the protocol "move".
package migration
