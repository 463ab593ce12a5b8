package config

import (
	"slices"
	"strconv"
	"strings"
)

// limitsValue is client-output-buffer-limit: groups of class, hard bytes, soft
// bytes, soft seconds. A group changes its class alone.
type limitsValue struct{ dst *Limits }

func limits(dst *Limits) value { return limitsValue{dst} }

const limitWords = 4

func (v limitsValue) set(args []string) error {
	if len(args) == 0 || len(args)%limitWords != 0 {
		return redisError("Wrong number of arguments in buffer limit configuration.")
	}
	next := v.dst.Get()
	for ; len(args) > 0; args = args[limitWords:] {
		var limit *OutputLimit
		switch strings.ToLower(args[0]) {
		case "normal":
			limit = &next.Normal
		case "slave", "replica":
			limit = &next.Replica
		case "pubsub":
			limit = &next.PubSub
		default:
			return redisError("Invalid client class specified in buffer limit configuration.")
		}
		hard, okHard := ParseBytes(args[1])
		soft, okSoft := ParseBytes(args[2])
		seconds, err := strconv.ParseInt(args[3], 10, 64)
		if !okHard || !okSoft || err != nil || seconds < 0 {
			return redisError("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
		}
		*limit = OutputLimit{HardBytes: hard, SoftBytes: soft, SoftSeconds: seconds}
	}
	v.dst.v.Store(&next)
	return nil
}

// groups returns the limits by class. CONFIG GET calls replicas by their old name.
func (v limitsValue) groups(replica string, size func(int64) string) [][]string {
	all := v.dst.Get()
	group := func(class string, l OutputLimit) []string {
		return []string{class, size(l.HardBytes), size(l.SoftBytes), strconv.FormatInt(l.SoftSeconds, 10)}
	}
	return [][]string{group("normal", all.Normal), group(replica, all.Replica), group("pubsub", all.PubSub)}
}

func (v limitsValue) lines() [][]string { return v.groups("replica", formatBytes) }

func (v limitsValue) args() []string {
	plain := func(n int64) string { return strconv.FormatInt(n, 10) }
	return slices.Concat(v.groups("slave", plain)...)
}

func (v limitsValue) text() string { return strings.Join(v.args(), " ") }
func (v limitsValue) domain() string {
	return "groups of class (normal, replica, pubsub), hard bytes, soft bytes, seconds"
}
