// Package replicas holds tests of plain replication between real processes: nodes,
// redis-servers and redis-sentinels that follow, kill, stop and replace one another.
package replicas
