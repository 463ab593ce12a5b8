package topology

import (
	"net"
	"strconv"
)

// NodeID names a node for life: 40 lower-case hexadecimal digits.
type NodeID string

// ShardID names a cluster shard for life: 40 lower-case hexadecimal digits.
type ShardID string

// RunID names one life of a node's process: 16 lower-case hexadecimal digits,
// drawn at start.
type RunID string

// Valid reports whether id has the form of a node id.
func (id NodeID) Valid() bool { return isHex(string(id), 40) }

// Valid reports whether id has the form of a shard id.
func (id ShardID) Valid() bool { return isHex(string(id), 40) }

// Valid reports whether id has the form of a run id.
func (id RunID) Valid() bool { return isHex(string(id), 16) }

func isHex(s string, length int) bool {
	if len(s) != length {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Addr is where a node is reached: clients at Host:Port, other nodes at
// Host:BusPort.
type Addr struct {
	Host    string `json:"host"`
	Port    int    `json:"port"`
	BusPort int    `json:"busPort"`
}

// Client returns host:port of the client listener.
func (a Addr) Client() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// Bus returns host:port of the bus listener.
func (a Addr) Bus() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.BusPort)) }

func (a Addr) valid() bool {
	return len(a.Host) <= maxHostBytes && a.Port >= 0 && a.Port <= 65535 && a.BusPort >= 0 && a.BusPort <= 65535
}
