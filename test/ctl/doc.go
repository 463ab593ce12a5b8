// Package ctl holds tests alone: the operator's tool against real nodes, each a process
// of its own.
package ctl
