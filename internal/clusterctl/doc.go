// Package clusterctl is what the operator's tool does: it reads a cluster's state
// through CLUSTER commands, makes a Plan (plain data, printed before anything is
// changed), and applies it step by step. Steps are idempotent: a run that was cut
// short is finished by running it again. It keeps no state of its own; the truth is
// always the cluster's. Flags and exit codes live in cmd/clusterctl.
package clusterctl

import "errors"

// Errors that decide the exit code of the tool. Their texts are what the operator
// reads behind the tool's name.
var (
	// ErrUnhealthy is returned by a check that found a fault in the cluster.
	ErrUnhealthy = errors.New("the cluster is unhealthy")
	// ErrStalePlan is returned when the cluster is no longer what the plan was made for.
	ErrStalePlan = errors.New("the cluster has changed since the plan was made")
	// ErrTimeout is returned when the cluster did not get where the plan leads in time.
	ErrTimeout = errors.New("timed out")
	// ErrUsage is returned for arguments that fit no plan.
	ErrUsage = errors.New("usage")
	// ErrDeclined is returned when the operator does not confirm a plan.
	ErrDeclined = errors.New("not confirmed, nothing was changed")
)
