// Package fakecluster is for tests alone: nodes that answer the commands that
// clusterctl sends over real connections, without a cluster behind them. All nodes of
// a World share one truth, so a change shows everywhere at once; what goes wrong is
// what a test makes go wrong.
package fakecluster
