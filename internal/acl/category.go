// Package acl says who may do what: command categories, users and their rules. It
// knows commands only through names and categories that its callers hand it.
package acl

import "strings"

// Category is a set of ACL command categories.
type Category uint32

// The categories of Redis 7, in the order in which ACL CAT and COMMAND list them.
const (
	Keyspace Category = 1 << iota
	Read
	Write
	Set
	SortedSet
	List
	Hash
	String
	Bitmap
	HyperLogLog
	Geo
	Stream
	PubSub
	Admin
	Fast
	Slow
	Blocking
	Dangerous
	Connection
	Transaction
	Scripting
)

var categoryNames = [...]string{
	"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string",
	"bitmap", "hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow",
	"blocking", "dangerous", "connection", "transaction", "scripting",
}

// Names returns the categories of c without the leading '@', in Redis' order.
func (c Category) Names() []string {
	var out []string
	for i, name := range categoryNames {
		if c&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// ParseCategory returns the category of a name without '@', in any letter case.
func ParseCategory(name string) (Category, bool) {
	for i, n := range categoryNames {
		if strings.EqualFold(n, name) {
			return 1 << i, true
		}
	}
	return 0, false
}
