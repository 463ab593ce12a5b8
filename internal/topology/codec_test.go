package topology

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/redwingdb/redwing/internal/slots"
)

// TestEntryGolden pins the bytes in the log: changing them makes old logs unreadable.
func TestEntryGolden(t *testing.T) {
	e := AssignSlots{
		Header: Header{Request: "r1", AtMillis: 5}, Shard: testShard(1), Add: setOf(0, 10), Del: slots.SetOf(slots.Range{From: 7, To: 7}),
		Releases: []Release{{testShard(2), 3, setOf(7, 7)}},
	}
	want := `{"kind":"AssignSlots","entry":{"request":"r1","atMillis":5,"shard":"` + string(testShard(1)) +
		`","add":"0-10","del":"7","releases":[{"shard":"` + string(testShard(2)) + `","term":3,"slots":"7"}]}}`
	if got := string(EncodeEntry(e)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	batch := Batch{Header{Request: "b"}, []Entry{BumpEpoch{Shard: testShard(1)}}}
	want = `{"kind":"Batch","entry":{"request":"b","entries":[{"kind":"BumpEpoch","entry":{"shard":"` + string(testShard(1)) + `"}}]}}`
	if got := string(EncodeEntry(batch)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDecodeEntryRefuses(t *testing.T) {
	nested := string(EncodeEntry(Batch{Entries: []Entry{Batch{Entries: []Entry{BumpEpoch{}}}}}))
	for _, text := range []string{
		"", "{", "null", "[]", `{"kind":"Nonsense","entry":{}}`, `{"kind":"BumpEpoch"}`, `{"kind":"BumpEpoch","entry":[]}`,
		`{"kind":"AssignSlots","entry":{"add":"0-99999"}}`, nested, strings.Repeat(" ", MaxEntryBytes+1),
	} {
		if e, err := DecodeEntry([]byte(text)); !errors.Is(err, ErrBadEntry) {
			t.Errorf("%.60q: %v, %v", text, e, err)
		}
	}
}

func TestDecodeViewRefuses(t *testing.T) {
	v := pair(t).v
	good := EncodeView(v)
	if back, err := DecodeView(good); err != nil || !bytes.Equal(EncodeView(back), good) {
		t.Fatalf("%v", err)
	}
	for _, change := range [][2]string{
		{`"0-8191"`, `"0-8192"`},
		{`"termCounter":3`, `"termCounter":1`},
		{string(testNode(2)), string(testNode(1))},
	} {
		bad := bytes.ReplaceAll(good, []byte(change[0]), []byte(change[1]))
		if bytes.Equal(bad, good) {
			t.Fatalf("%s is not in the view", change[0])
		}
		if _, err := DecodeView(bad); !errors.Is(err, ErrInvariant) {
			t.Errorf("%s for %s: %v", change[1], change[0], err)
		}
	}
}

func TestErrorCodes(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range codes {
		if seen[c.code] {
			t.Errorf("code %s is used twice", c.code)
		}
		seen[c.code] = true
		wrapped := fmt.Errorf("promote: %w", c.err)
		if got := ErrorCode(wrapped); got != c.code || !errors.Is(ErrorFromCode(got), c.err) || !IsRefusal(wrapped) {
			t.Errorf("%v travels as %s", c.err, got)
		}
	}
	if ErrorFromCode("") != nil || ErrorCode(nil) != "" || ErrorCode(errors.New("x")) != "" || !errors.Is(ErrorFromCode("LATER"), ErrRefused) {
		t.Error("codes of what is no refusal")
	}
}

// TestDescribe holds that every kind has words of its own.
func TestDescribe(t *testing.T) {
	for kind := range decoders {
		e, err := DecodeEntry([]byte(`{"kind":"` + string(kind) + `","entry":{}}`))
		if err != nil {
			t.Fatal(err)
		}
		if text := Describe(e); text == string(kind) || text == "" {
			t.Errorf("%s: %q", kind, text)
		}
	}
	if text := Describe(Promote{Empty: true}); !strings.Contains(text, "came back empty") {
		t.Error(text)
	}
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(EncodeEntry(AssignSlots{Shard: testShard(0), Add: setOf(0, 9)}))
	f.Add(EncodeEntry(Batch{Entries: []Entry{Lead{RaftTerm: 1}, BumpEpoch{}}}))
	f.Add(EncodeEntry(SetOpenSlot{Shard: testShard(0), Slot: 60000, State: Migrating}))
	f.Add(EncodeEntry(FormCluster{ClusterID: string(testNode(0)), Node: member(0, 0), Shard: testShard(0)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := DecodeEntry(data)
		if err != nil {
			return
		}
		again, err := DecodeEntry(EncodeEntry(e))
		if err != nil || !bytes.Equal(EncodeEntry(e), EncodeEntry(again)) {
			t.Fatalf("%v", err)
		}
		// Whatever an entry says, applying it keeps the View whole.
		v := pair(t).v
		for _, from := range []*View{NewView(), v} {
			next, err := Apply(from, from.Index+1, e)
			if problem := next.Check(); problem != nil {
				t.Fatalf("%s (%v): %v", data, err, problem)
			}
			if err != nil && !IsRefusal(err) {
				t.Fatal(err)
			}
			Describe(e)
		}
	})
}

func FuzzDecodeView(f *testing.F) {
	f.Add(EncodeView(NewView()))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := DecodeView(data)
		if err != nil {
			return
		}
		back, err := DecodeView(EncodeView(v))
		if err != nil || !bytes.Equal(EncodeView(back), EncodeView(v)) {
			t.Fatalf("%v", err)
		}
		for slot := range slots.Count {
			if s := v.Owner(slots.Slot(slot)); s != nil && !s.Slots.Has(slots.Slot(slot)) {
				t.Fatal("owner")
			}
		}
	})
}
