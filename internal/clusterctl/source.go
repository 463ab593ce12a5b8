package clusterctl

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/redwingdb/redwing/internal/clusterctl/transfer"
	"github.com/redwingdb/redwing/internal/slots"
)

// source is a server that an import reads.
type source struct {
	Addr    string
	Version [3]int
	Keys    int64 // of the database that is copied
	Expires int64 // of them have an expiry
	Memory  int64
	DBs     map[int]int64 // keys of all databases
	Slots   slots.Set     // of a cluster
	info    string
}

// sources is what an import reads: one server, or the primaries of a cluster.
type sources struct {
	list      []source
	cluster   bool
	signature string // of a cluster's topology
	notes     []string
}

// findSources asks the server at addr what it is. A replica's primary is taken in its
// place.
func findSources(ctx context.Context, ep transfer.Endpoint) (*sources, error) {
	info, text, err := inspect(ctx, ep)
	if err != nil {
		return nil, err
	}
	if transfer.Field(text, "redis_mode") == "cluster" {
		return findCluster(ctx, ep)
	}
	out := &sources{}
	for hops := 0; transfer.Field(text, "role") == "slave"; hops++ {
		head := transfer.Field(text, "master_host") + ":" + transfer.Field(text, "master_port")
		if hops == 4 {
			return nil, fmt.Errorf("%s: the chain of replicas does not end at a primary", ep.Addr)
		}
		out.notes = append(out.notes, fmt.Sprintf("%s is a replica: its primary %s is read", ep.Addr, head))
		ep.Addr = dialAddr(head)
		if info, text, err = inspect(ctx, ep); err != nil {
			return nil, fmt.Errorf("the primary of a replica: %w", err)
		}
	}
	out.list = []source{info}
	return out, nil
}

// inspect reads what a server says of itself.
func inspect(ctx context.Context, ep transfer.Endpoint) (s source, info string, err error) {
	conn, err := transfer.Dial(ctx, ep)
	if err != nil {
		return s, "", sourceError(ep, err)
	}
	defer conn.Close()
	r, err := conn.Do("INFO")
	if err != nil {
		return s, "", sourceError(ep, err)
	}
	info = r.String()
	s = source{Addr: ep.Addr, info: info, DBs: map[int]int64{}, Memory: number(transfer.Field(info, "used_memory"))}
	version := transfer.Field(info, "redis_version")
	for i, part := range strings.SplitN(version, ".", 3) {
		s.Version[i], _ = strconv.Atoi(part) // what is no number is old, or not released
	}
	switch {
	case version == "" || transfer.Field(info, "redis_mode") == "sentinel":
		return s, "", fmt.Errorf("%s is no server with data", ep.Addr)
	case transfer.Field(info, "loading") == "1":
		return s, "", fmt.Errorf("%s is loading its data set: try again when it is done", ep.Addr)
	}
	for line := range strings.Lines(info) {
		if db, keys, _, ok := keyspaceLine(strings.TrimSpace(line)); ok {
			s.DBs[db] = keys
		}
	}
	return s, info, nil
}

// keyspaceLine parses "db0:keys=5,expires=1,...".
func keyspaceLine(line string) (db int, keys, expires int64, ok bool) {
	name, fields, found := strings.Cut(line, ":")
	digits, isDB := strings.CutPrefix(name, "db")
	db, err := strconv.Atoi(digits)
	if !found || !isDB || err != nil {
		return 0, 0, 0, false
	}
	for f := range strings.SplitSeq(fields, ",") {
		switch name, value, _ := strings.Cut(f, "="); name {
		case "keys":
			keys = number(value)
		case "expires":
			expires = number(value)
		}
	}
	return db, keys, expires, true
}

// choose takes database db as the one to copy.
func (s *source) choose(db int) {
	for line := range strings.Lines(s.info) {
		if n, keys, expires, ok := keyspaceLine(strings.TrimSpace(line)); ok && n == db {
			s.Keys, s.Expires = keys, expires
		}
	}
}

// atLeast reports whether the server is of this version or a later one.
func (s *source) atLeast(major, minor int) bool {
	return s.Version[0] > major || s.Version[0] == major && s.Version[1] >= minor
}

// sourceError says which flags an error is about.
func sourceError(ep transfer.Endpoint, err error) error {
	var reply *transfer.ReplyError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%w (--from-cacert, or --from-insecure)", err)
	case errors.As(err, &name):
		return fmt.Errorf("%w (--from-sni)", err)
	case ep.TLS == nil && transfer.Broken(err) && !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w (if it speaks TLS: --from-tls)", err)
	}
	if errors.As(err, &reply) {
		for _, code := range []string{"NOAUTH", "WRONGPASS", "NOPERM"} {
			if strings.HasPrefix(reply.Text, code) {
				return fmt.Errorf("%s: %w: %s (--from-user, CLUSTERCTL_FROM_PASSWORD or --from-password)", ep.Addr, ErrDenied, reply.Text)
			}
		}
	}
	return err
}

// findCluster finds the primaries of the cluster that the server is a member of.
func findCluster(ctx context.Context, ep transfer.Endpoint) (*sources, error) {
	st, err := foreignState(ctx, ep)
	if err != nil {
		return nil, err
	}
	if covered := st.Covered(); covered.Len() != slots.Count {
		return nil, fmt.Errorf("%s: %d slots of its cluster have no owner: it cannot be copied whole", ep.Addr, slots.Count-covered.Len())
	}
	out := &sources{cluster: true, signature: st.Signature()}
	for _, p := range st.Primaries() {
		switch {
		case len(p.Open) > 0:
			return nil, fmt.Errorf("%s: slots are half-open there (%s): finish that move first", p.Addr, strings.Join(p.Open, " "))
		case p.Slots.Empty():
			continue
		case p.Failed():
			return nil, fmt.Errorf("%s owns slots and has failed", p.Addr)
		}
		pe := ep
		pe.Addr = dialAddr(p.Addr)
		s, _, err := inspect(ctx, pe)
		if err != nil {
			return nil, err
		}
		s.Slots = p.Slots
		out.list = append(out.list, s)
	}
	return out, nil
}

// foreignState reads the topology of a cluster that is not the operator's own.
func foreignState(ctx context.Context, ep transfer.Endpoint) (*State, error) {
	conn, err := transfer.Dial(ctx, ep)
	if err != nil {
		return nil, sourceError(ep, err)
	}
	defer conn.Close()
	r, err := conn.Do("CLUSTER", "NODES")
	if err != nil {
		return nil, sourceError(ep, err)
	}
	st, err := ParseNodes(r.String())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ep.Addr, err)
	}
	host := hostOf(ep.Addr)
	for i := range st.Nodes {
		if n := &st.Nodes[i]; strings.HasPrefix(n.Addr, ":") {
			n.Addr = host + n.Addr // it does not know its own address yet
		}
	}
	return st, nil
}

// pick chooses the database; db < 0 says that the operator has named none.
func (s *sources) pick(db int) (int, error) {
	if s.cluster {
		if db > 0 {
			return 0, fmt.Errorf("%w: --db %d: a cluster has database 0 alone", ErrUsage, db)
		}
		db = 0
	} else if filled := slices.Sorted(maps.Keys(s.list[0].DBs)); db < 0 {
		if len(filled) > 1 || len(filled) == 1 && filled[0] != 0 {
			return 0, fmt.Errorf("%w: %s has keys in databases %s, a cluster has one: choose it with --db",
				ErrUsage, s.list[0].Addr, strings.Trim(fmt.Sprint(filled), "[]"))
		}
		db = 0
	}
	for i := range s.list {
		s.list[i].choose(db)
	}
	return db, nil
}

func (s *sources) keys() (n int64) {
	for i := range s.list {
		n += s.list[i].Keys
	}
	return n
}
