package server

import (
	"testing"

	"github.com/redwingdb/redwing/internal/slots"
)

func TestSlotUse(t *testing.T) {
	h := newHarness(t, func(o *Options) { o.Cluster = newFakeCluster(oneShardView()) })
	c := h.client()
	a, b := slots.Of([]byte("a")), slots.Of([]byte("b"))
	use := func(s slots.Slot) SlotUse {
		u, ok := h.srv.SlotUse(s)
		if !ok {
			t.Fatal("not counted")
		}
		return u
	}
	c.do("set a 1", "+OK")
	if _, ok := h.srv.SlotUse(a); ok {
		t.Error("counted without being asked to")
	}
	h.srv.CountSlots(true)
	h.srv.CountSlots(true)
	c.feed(string(request("SET", "a", "12345")) + string(request("GET", "a")) + string(request("PING")))
	c.expect("+OK|$5|12345|+PONG")
	in := len(request("SET", "a", "12345")) + len(request("GET", "a"))
	if u := use(a); u.NetInBytes != int64(in) || u.NetOutBytes != int64(len("+OK\r\n$5\r\n12345\r\n")) || u.Nanos <= 0 {
		t.Errorf("slot of a took %+v, requests of %d bytes", u, in)
	}
	c.do("multi|get b|get b|exec", "+OK|+QUEUED|+QUEUED|*2|$-1|$-1")
	if u := use(b); u.NetInBytes < int64(len("exec\r\n")+2*len("get b")) || u.NetOutBytes != int64(len("*2\r\n$-1\r\n$-1\r\n")) {
		t.Errorf("slot of b took %+v", u)
	}
	if u := use(0); u != (SlotUse{}) {
		t.Errorf("another slot took %+v", u)
	}
	var kept slots.Set
	kept.Add(b)
	h.srv.KeepSlotUses(&kept)
	if use(a) != (SlotUse{}) || use(b) == (SlotUse{}) {
		t.Errorf("kept %+v and %+v", use(a), use(b))
	}
	h.srv.KeepSlotUses(nil)
	if use(b) != (SlotUse{}) {
		t.Errorf("kept %+v", use(b))
	}
	h.srv.CountSlots(false)
	if _, ok := h.srv.SlotUse(b); ok {
		t.Error("counted on")
	}
}
