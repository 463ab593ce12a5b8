package server

import (
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/pubsub"
)

func TestMessagesGoThroughTheirOwner(t *testing.T) {
	h := newHarness(t, nil)
	a := h.client()
	a.do("hello 3|subscribe c", helloReply(t, 1)+"|>3|$9|subscribe|$1|c|:1")
	h.srv.hub.Publish(pubsub.Channel, []byte("c"), []byte("m"), 0)
	a.expect("") // not before the owner has looked
	a.wake()
	a.expect(">3|$7|message|$1|c|$1|m")
	// What comes before the end of a subscription stands before its confirmation.
	h.srv.hub.Publish(pubsub.Channel, []byte("c"), []byte("1"), 0)
	h.srv.hub.Publish(pubsub.Channel, []byte("c"), []byte("2"), 0)
	a.do("unsubscribe c|ping", ">3|$7|message|$1|c|$1|1|>3|$7|message|$1|c|$1|2|>3|$11|unsubscribe|$1|c|:0|+PONG")
	a.close()
}

// helloReply is what HELLO 3 replies to the client of this id.
func helloReply(t *testing.T, id int) string {
	t.Helper()
	if id != 1 {
		t.Fatal("one client is enough")
	}
	return "%7|$6|server|$5|redis|$7|version|$5|7.2.4|$5|proto|:3|$2|id|:1|$4|mode|$10|standalone|$4|role|$6|master|$7|modules|*0"
}

func TestMessagesOfBlockedClient(t *testing.T) {
	h := blockingHarness(t, nil)
	a, w := h.client(), h.client()
	a.do("hello 3|subscribe c", helloReply(t, 1)+"|>3|$9|subscribe|$1|c|:1")
	a.stays("btake k 0")
	h.srv.hub.Publish(pubsub.Channel, []byte("c"), []byte("m"), 0)
	a.wake()
	a.expect(">3|$7|message|$1|c|$1|m")
	w.do("set k 1", "+OK")
	a.comes("*2|$1|k|$1|1")
}

func TestSlowSubscriberIsDropped(t *testing.T) {
	h := newHarness(t, nil)
	h.srv.Settings().PubSubHard.Store(1000)
	a, b := h.client(), h.client()
	a.do("subscribe c", "*3|$9|subscribe|$1|c|:1")
	b.do("subscribe c", "*3|$9|subscribe|$1|c|:1")
	message := []byte(strings.Repeat("x", 300))
	for range 10 {
		h.srv.hub.Publish(pubsub.Channel, []byte("c"), message, 0)
		if b.s.Ended() {
			t.Fatal("a client that takes its messages is dropped")
		}
		b.wake()
		b.sent()
	}
	a.wake()
	if !a.s.Ended() {
		t.Error("a client that does not take its messages is kept")
	}
	a.close()
	b.close()
	if n, _, _ := h.srv.hub.Counts(); n != 0 {
		t.Errorf("%d channels have subscribers that are gone", n)
	}
}

func TestShardChannelsOfSlotThatLeft(t *testing.T) {
	fc := newFakeCluster(oneShardView())
	h := newHarness(t, func(o *Options) { o.Cluster = fc })
	a := h.client()
	a.do("ssubscribe b {b}2|ssubscribe a", "*3|$10|ssubscribe|$1|b|:1|*3|$10|ssubscribe|$4|{b}2|:2|*3|$10|ssubscribe|$1|a|:3")
	a.do("ssubscribe a b", "-CROSSSLOT Keys in request don't hash to the same slot")
	fc.lease.Store(0) // messages need no lease
	a.do("sunsubscribe {b}2", "*3|$12|sunsubscribe|$4|{b}2|:2")
	fc.view.Store(splitView())
	h.srv.Rerouted()
	a.wake()
	a.expect("*3|$12|sunsubscribe|$1|b|:1")
	a.do("ssubscribe b", "-MOVED 3300 10.0.0.2:7002")
}
