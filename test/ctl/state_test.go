package ctl

import (
	"encoding/json"
	"testing"
)

// member is a line of "clusterctl nodes -o json".
type member struct {
	ID, Addr, Role, Primary string
	Slots                   int
}

// job is a line of "clusterctl migrations -o json".
type job struct {
	State      string
	SourceAddr string `json:"source_addr"`
	TargetAddr string `json:"target_addr"`
}

// members asks the tool, by address.
func (d *dev) members() map[string]member {
	d.t.Helper()
	var list []member
	decode(d.t, d.ctl("nodes", "-o", "json"), &list)
	out := map[string]member{}
	for _, m := range list {
		out[m.Addr] = m
	}
	return out
}

func (d *dev) jobs() []job {
	d.t.Helper()
	var list []job
	decode(d.t, d.ctl("migrations", "-o", "json"), &list)
	return list
}

func decode(t *testing.T, r result, v any) {
	t.Helper()
	r.want(t, 0)
	if err := json.Unmarshal([]byte(r.out), v); err != nil {
		t.Fatalf("%v: %s", err, r)
	}
}
