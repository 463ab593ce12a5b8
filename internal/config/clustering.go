package config

import (
	"errors"
	"net"
	"strconv"
	"strings"
)

func (c *Config) clusterDirectives() []*directive {
	return []*directive{
		{name: "cluster-enabled", value: boolean(&c.ClusterEnabled), def: "no", effect: AtStart,
			help: "run as a node of a cluster"},
		{name: "cluster-node-timeout", value: integer(&c.ClusterNodeTimeoutMillis, 100, 86_400_000), def: "1500", effect: AtStart,
			help: "milliseconds of silence after which a primary may be replaced; leases last half of it, 300 to 600 ms"},
		{name: "cluster-port", value: integer(&c.ClusterPort, 0, 65535), def: "0", effect: AtStart,
			help: "port of the cluster bus; 0: port + 10000"},
		{name: "cluster-dir", value: text(&c.ClusterDir, nil), def: "", effect: AtStart,
			help: "directory of the topology log; none: in dir"},
		{name: "bus-secret", value: text(&c.BusSecret, nil), def: "", effect: AtStart,
			help: "secret that all nodes of the cluster share"},
		{name: "insecure-bus", value: boolean(&c.InsecureBus), def: "no", effect: AtStart,
			help: "let the bus listen on other than loopback addresses without a secret"},
		{name: "availability-zone", value: text(&c.AvailabilityZone, checkWord), def: "", effect: AtStart,
			help: "name of what fails together with this node; none: its host"},
		{name: "cluster-seeds", value: words(&c.ClusterSeeds, 64, checkSeeds), def: "", effect: AtStart,
			help: "`host:port` of nodes that are asked where the members are, should none be found where it was"},
		{name: "cluster-move-max-rate", value: size(&c.MoveRateBytes, 0, maxInt), def: "0", effect: AtOnce,
			help: "bytes a second that a slot move sends of its snapshot at most; 0: no limit"},
		{name: "cluster-announce-ip", value: text(&c.AnnounceIP, checkWord), def: "", effect: AtStart,
			help: "address that other nodes and clients are told; none: the first concrete one of `bind`, or the machine's"},
		{name: "cluster-announce-port", value: integer(&c.AnnouncePort, 0, 65535), def: "0", effect: AtStart,
			help: "port that clients are told; 0: port"},
		{name: "cluster-announce-bus-port", value: integer(&c.AnnounceBusPort, 0, 65535), def: "0", effect: AtStart,
			help: "bus port that nodes are told; 0: the bus port"},
		{name: "cluster-announce-hostname", value: text(&c.AnnounceHostname, checkHostname), def: "", effect: AtStart,
			help: "host name that clients are told beside the address"},
		{name: "cluster-preferred-endpoint-type", value: enum(&c.EndpointType, "ip", "hostname", "unknown-endpoint"), def: "ip", effect: AtOnce,
			help: "how redirections and CLUSTER SLOTS name a node"},
		{name: "cluster-replica-validity-factor", alias: "cluster-slave-validity-factor", value: integer(&c.ReplicaValidityFactor, 0, 1<<31-1), def: "10", effect: AtOnce,
			help: "a replica without its primary for longer than this many node timeouts does not stand for election; 0: it always does"},
		{name: "cluster-replica-no-failover", alias: "cluster-slave-no-failover", value: boolean(&c.ReplicaNoFailover), def: "no", effect: AtOnce,
			help: "this node is promoted by hand only"},
		{name: "cluster-require-full-coverage", value: boolean(&c.RequireFullCoverage), def: "yes", effect: AtOnce,
			help: "serve nothing while some slot has no owner"},
		{name: "cluster-allow-reads-when-down", value: boolean(&c.AllowReadsWhenDown), def: "no", effect: AtOnce,
			help: "serve reads while the cluster is down for want of coverage"},
		{name: "cluster-slot-stats-enabled", value: boolean(&c.SlotStats), def: "no", effect: AtOnce,
			help: "count what the commands on each slot take, for CLUSTER SLOT-STATS"},
		{name: "cluster-config-file", value: inertText(), def: "nodes.conf", effect: Inert,
			help: "not written: the topology lies in cluster-dir"},
		{name: "cluster-announce-tls-port", value: onlyInt("0", "TLS is not available yet"), def: "0", effect: Only},
		{name: "cluster-announce-human-nodename", value: inertText(), def: "", effect: Inert},
		{name: "cluster-allow-pubsubshard-when-down", value: boolean(&c.AllowPubSubShardWhenDown), def: "yes", effect: AtOnce,
			help: "carry messages on shard channels while the cluster is down"},
		{name: "cluster-migration-barrier", value: inertInt(0, 1<<31-1), def: "1", effect: Inert,
			help: "replicas do not change shards by themselves"},
		{name: "cluster-allow-replica-migration", value: inertBool(), def: "yes", effect: Inert,
			help: "replicas do not change shards by themselves"},
		{name: "cluster-link-sendbuf-limit", value: inertBytes(), def: "0", effect: Inert},
	}
}

// checkSeeds accepts addresses of nodes as clients use them, from which the port of
// the bus follows.
func checkSeeds(list []string) error {
	for _, addr := range list {
		host, text, err := net.SplitHostPort(addr)
		port, errPort := strconv.Atoi(text)
		if err != nil || errPort != nil || host == "" || port < 1 || port > 65535-BusOffset {
			return errors.New("argument must be host:port of a node")
		}
	}
	return nil
}

// checkWord accepts what can stand in a line of CLUSTER NODES.
func checkWord(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == ',' || r == 0x7f }) {
		return errors.New("argument must not contain spaces, commas or control characters")
	}
	return nil
}

// checkHostname accepts what Redis does (config.c, isValidAnnouncedHostname).
func checkHostname(s string) error {
	const maxLen = 256
	if len(s) >= maxLen {
		return redisError("Hostnames must be less than 256 characters")
	}
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '.':
		default:
			return redisError("Hostnames may only contain alphanumeric characters, hyphens or dots")
		}
	}
	return nil
}
