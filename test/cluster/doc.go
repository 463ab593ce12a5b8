// Package cluster tests Redwing as its users meet it: real processes, real clients,
// kill -9, SIGSTOP. It holds tests only; what is here is the harness they share.
package cluster
