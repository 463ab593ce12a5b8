package engine

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/slots"
)

const testNow = 1_700_000_000_000

// one is a keyspace of one shard, so that a test needs no lock but its own goroutine.
type one struct {
	*testing.T
	k *Keyspace
	a Access
}

func newOne(t *testing.T, o Options) *one {
	o.Shards = 1
	k := newKeyspace(t, o)
	return &one{t, k, k.Access(0, testNow, ModePrimary)}
}

func (o *one) set(key, val string, at int64) {
	o.Helper()
	if err := o.a.SetString(1, []byte(key), []byte(val), at); err != nil {
		o.Fatal(err)
	}
}

func (o *one) is(key, val string, enc Encoding, at int64) {
	o.Helper()
	r, ok := o.a.Find(1, []byte(key))
	if !ok {
		o.Fatalf("%s is not there", key)
	}
	if got := string(r.Append(nil)); got != val || r.Len() != len(val) || string(r.Bytes(nil)) != val {
		o.Errorf("%s is %.40q (%d bytes), want %.40q", key, got, r.Len(), val)
	}
	if r.Encoding() != enc || r.ExpireAt() != at || r.Type() != TypeString || r.Type().String() != "string" {
		o.Errorf("%s is %v, expires %d; want %v, %d", key, r.Encoding(), r.ExpireAt(), enc, at)
	}
}

func (o *one) gone(key string) {
	o.Helper()
	if _, ok := o.a.Peek(1, []byte(key)); ok {
		o.Errorf("%s is there", key)
	}
}

func TestEncodings(t *testing.T) {
	o := newOne(t, Options{})
	for val, enc := range map[string]Encoding{
		"": EncEmbstr, "0": EncInt, "-1": EncInt, "-0": EncEmbstr, "01": EncEmbstr, "+1": EncEmbstr, " 1": EncEmbstr,
		"9223372036854775807": EncInt, "9223372036854775808": EncEmbstr, "-9223372036854775808": EncInt,
		"-9223372036854775809": EncEmbstr, "99999999999999999999": EncEmbstr, "-": EncEmbstr, "1.5": EncEmbstr, "12a": EncEmbstr,
		strings.Repeat("x", 44): EncEmbstr, strings.Repeat("x", 45): EncRaw, strings.Repeat("x", 100_000): EncRaw,
	} {
		o.set("k", val, 0)
		o.is("k", val, enc, 0)
	}
	if EncInt.String() != "int" || EncRaw.String() != "raw" || EncEmbstr.String() != "embstr" {
		t.Error("encoding names differ from OBJECT ENCODING's")
	}
	if err := o.a.SetRaw(1, []byte("k"), []byte("12"), 0); err != nil {
		t.Fatal(err)
	}
	o.is("k", "12", EncRaw, 0)
	if err := o.a.SetInt(1, []byte("k"), -42, 0); err != nil {
		t.Fatal(err)
	}
	o.is("k", "-42", EncInt, 0)
}

func TestAppendAndSetRange(t *testing.T) {
	o := newOne(t, Options{})
	appended := func(suffix string, want int) {
		t.Helper()
		if n, err := o.a.AppendString(1, []byte("k"), []byte(suffix)); err != nil || n != want {
			t.Fatalf("append %.20q: %d, %v; want %d", suffix, n, err, want)
		}
	}
	appended("12", 2)
	o.is("k", "12", EncInt, 0) // as Redis: a new string is encoded as SET would
	appended("x", 3)
	o.is("k", "12x", EncRaw, 0)
	long := strings.Repeat("y", 200_000)
	appended(long, 200_003)
	appended("z", 200_004)
	o.is("k", "12x"+long+"z", EncRaw, 0)

	o.set("r", "10", testNow+1000)
	if n, err := o.a.SetRange(1, []byte("r"), 5, []byte("ab")); err != nil || n != 7 {
		t.Fatalf("setrange: %d, %v", n, err)
	}
	o.is("r", "10\x00\x00\x00ab", EncRaw, testNow+1000)
	if n, err := o.a.SetRange(1, []byte("r"), 0, nil); err != nil || n != 7 {
		t.Fatalf("empty setrange: %d, %v", n, err)
	}
	if n, err := o.a.SetRange(1, []byte("none"), 0, nil); err != nil || n != 0 {
		t.Fatalf("empty setrange of no key: %d, %v", n, err)
	}
	o.gone("none")
	if n, err := o.a.SetRange(1, []byte("new"), 40_000, []byte("e")); err != nil || n != 40_001 {
		t.Fatalf("setrange of no key: %d, %v", n, err)
	}
	o.is("new", strings.Repeat("\x00", 40_000)+"e", EncRaw, 0)
}

func TestIncrBy(t *testing.T) {
	o := newOne(t, Options{})
	o.set("n", "9223372036854775800", testNow+5)
	if v, ok := o.a.IncrBy(1, []byte("n"), 7); !ok || v != 9223372036854775807 {
		t.Fatalf("%d %v", v, ok)
	}
	if _, ok := o.a.IncrBy(1, []byte("n"), 1); ok {
		t.Fatal("overflow went through")
	}
	o.is("n", "9223372036854775807", EncInt, testNow+5)
	o.set("n", "-9223372036854775807", 0)
	if v, ok := o.a.IncrBy(1, []byte("n"), -1); !ok || v != -9223372036854775808 {
		t.Fatalf("%d %v", v, ok)
	}
	if _, ok := o.a.IncrBy(1, []byte("n"), -1); ok {
		t.Fatal("underflow went through")
	}
	o.set("s", "x", 0)
	if _, ok := o.a.IncrBy(1, []byte("s"), 1); ok {
		t.Fatal("a string was incremented")
	}
	if _, ok := o.a.IncrBy(1, []byte("none"), 1); ok {
		t.Fatal("nothing was incremented")
	}
}

func TestExpiryModes(t *testing.T) {
	o := newOne(t, Options{})
	o.set("k", "v", testNow)
	o.is("k", "v", EncEmbstr, testNow) // alive in the very millisecond, as Redis
	replica := o.k.Access(0, testNow+1, ModeReplica)
	apply := o.k.Access(0, testNow+1, ModeApply)
	if _, ok := replica.Find(1, []byte("k")); ok {
		t.Error("a replica shows an expired key")
	}
	if replica.Delete(1, []byte("k")) || o.k.Len(0) != 1 {
		t.Error("a replica deleted an expired key")
	}
	if _, ok := apply.Find(1, []byte("k")); !ok {
		t.Error("applying hides an expired key")
	}
	if ok, err := apply.SetExpireAt(1, []byte("k"), testNow+5); !ok || err != nil {
		t.Error("applying cannot extend an expired key")
	}
	o.a = o.k.Access(0, testNow+6, ModePrimary)
	if o.k.Expires(0) != 1 {
		t.Errorf("%d volatile keys", o.k.Expires(0))
	}
	if o.a.Delete(1, []byte("k")) {
		t.Error("an expired key counts as deleted")
	}
	if o.k.Len(0) != 0 || o.k.Expires(0) != 0 || o.k.Stats().ExpiredKeys != 1 {
		t.Errorf("%d keys, %d volatile, %d expired", o.k.Len(0), o.k.Expires(0), o.k.Stats().ExpiredKeys)
	}
	o.set("k", "v", testNow+100)
	o.set("k", "w", KeepTTL)
	o.is("k", "w", EncEmbstr, testNow+100)
	o.a = o.k.Access(0, testNow+200, ModePrimary)
	o.set("k", "x", KeepTTL) // the old value has expired, and its expiry with it
	o.is("k", "x", EncEmbstr, 0)
}

// Values of the keyspace itself may be written back, in place or not.
func TestSetFromOwnMemory(t *testing.T) {
	o := newOne(t, Options{})
	for _, n := range []int{20, 100, 30_000, 100_000} {
		val := strings.Repeat("abcdefghij", n/10)
		o.set("src", val, 0)
		r, _ := o.a.Find(1, []byte("src"))
		if err := o.a.SetString(1, []byte("src"), r.Bytes(nil)[1:], testNow+9); err != nil {
			t.Fatal(err)
		}
		o.is("src", val[1:], map[bool]Encoding{true: EncEmbstr, false: EncRaw}[n <= 44], testNow+9)
	}
}

func TestTouchAndIdle(t *testing.T) {
	o := newOne(t, Options{})
	o.set("k", "v", 0)
	later := o.k.Access(0, testNow+60_500, ModePrimary)
	r, _ := later.Peek(1, []byte("k"))
	if got := r.Idle(later.Now()); got != 60_000 {
		t.Errorf("idle %d ms after 60.5 s", got)
	}
	later.SetNoTouch(true)
	r, _ = later.Find(1, []byte("k"))
	if got := r.Idle(later.Now()); got != 60_000 {
		t.Errorf("idle %d ms after a find that does not touch", got)
	}
	later.SetNoTouch(false)
	r, _ = later.Find(1, []byte("k"))
	if got := r.Idle(later.Now()); got != 0 {
		t.Errorf("idle %d ms after a find", got)
	}
	if r.RefSize() < 8+1+1 || r.RefSize() > 32 {
		t.Errorf("one byte of key and one of value take %d bytes", r.RefSize())
	}
}

func TestSlotKeysAndRandomKey(t *testing.T) {
	k := newKeyspace(t, Options{Shards: 4})
	a := k.Access(0, testNow, ModePrimary)
	k.Lock(k.AllShards())
	defer k.Unlock(k.AllShards())
	r := rand.New(rand.NewPCG(1, 1))
	if _, ok := a.RandomKey(r.Uint64); ok {
		t.Fatal("an empty database gave a key")
	}
	for i := range 60 {
		if err := a.SetString(slots.Slot(i%3), []byte(strconv.Itoa(i)), []byte("v"), 0); err != nil {
			t.Fatal(err)
		}
	}
	for limit, want := range map[int]int{0: 0, 5: 5, 20: 20, 100: 20} {
		n := 0
		a.SlotKeys(1, limit, func([]byte) { n++ })
		if n != want {
			t.Errorf("limit %d gave %d keys", limit, n)
		}
	}
	if k.SlotLen(0, 1) != 20 || k.SlotLen(0, 7) != 0 {
		t.Errorf("slot 1 has %d keys, slot 7 %d", k.SlotLen(0, 1), k.SlotLen(0, 7))
	}
	count := map[string]int{}
	for range 6000 {
		key, ok := a.RandomKey(r.Uint64)
		if !ok {
			t.Fatal("no random key")
		}
		count[string(key)]++
	}
	for i := range 60 {
		if c := count[strconv.Itoa(i)]; c < 50 || c > 150 {
			t.Errorf("key %d drawn %d times of 6000", i, c)
		}
	}
	// Expired keys are met and deleted; the one that is left is found.
	for i := range 59 {
		if _, err := a.SetExpireAt(slots.Slot(i%3), []byte(strconv.Itoa(i)), testNow+1); err != nil {
			t.Fatal(err)
		}
	}
	a = k.Access(0, testNow+2, ModePrimary)
	if key, ok := a.RandomKey(r.Uint64); !ok || string(key) != "59" {
		t.Errorf("random key among expired ones: %q %v", key, ok)
	}
}

// A range that is full refuses with ErrNoSpace and loses nothing.
func TestNoSpace(t *testing.T) {
	o := newOne(t, Options{ShardBytes: 64 << 20})
	big := strings.Repeat("b", 5<<20)
	n := 0
	for ; ; n++ {
		err := o.a.SetString(1, []byte("big"+strconv.Itoa(n)), []byte(big), 0)
		if errors.Is(err, ErrNoSpace) {
			break
		}
		if err != nil || n > 100 {
			t.Fatal(n, err)
		}
	}
	used := o.k.UsedMemory()
	if _, err := o.a.SetRange(1, []byte("new"), 50<<20, []byte("x")); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("setrange past the space: %v", err)
	}
	o.gone("new")
	if _, err := o.a.SetRange(1, []byte("big0"), 60<<20, []byte("x")); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("growth past the space: %v", err)
	}
	if err := o.a.Copy(1, []byte("big0"), 0, 2, []byte("copy")); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("copy past the space: %v", err)
	}
	if got := o.k.UsedMemory(); got > used+1<<10 {
		t.Errorf("%d bytes used, %d before the failures", got, used)
	}
	for i := range n {
		o.is("big"+strconv.Itoa(i), big, EncRaw, 0)
	}
	// Rename needs no space for the value.
	if err := o.a.Rename(1, []byte("big0"), 1, []byte("moved")); err != nil {
		t.Fatal(err)
	}
	o.is("moved", big, EncRaw, 0)
	if !o.a.Delete(1, []byte("moved")) {
		t.Fatal("moved is gone")
	}
	o.set("big0", big, 0)
	if err := o.k.checkInvariants(); err != nil {
		t.Fatal(err)
	}
}

func TestSnapshotOverrun(t *testing.T) {
	o := newOne(t, Options{})
	for i := range 2000 {
		o.set(strconv.Itoa(i), strings.Repeat("v", 100), 0)
	}
	o.set("big", strings.Repeat("b", 1<<20), 0)
	s, err := o.k.Snapshot(SnapshotOptions{DB: -1, QueueBytes: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		o.set(strconv.Itoa(i), "new", 0)
	}
	o.set("big", "small", 0)
	var b Batch
	if err := s.Next(&b); !errors.Is(err, ErrSnapshotOverrun) {
		t.Fatalf("next past the bound: %v", err)
	}
	s.Close()
	s.Close()
	if n := o.k.Stats().Snapshots; n != 0 {
		t.Errorf("%d snapshots live", n)
	}
	o.k.Lock(1)
	o.k.FlushAll()
	o.k.Unlock(1)
	for o.k.BackgroundStep(testNow, time.Second) {
	}
	if n := o.k.UsedMemory(); n != 0 {
		t.Errorf("%d bytes left", n)
	}
}

func TestTooManySnapshots(t *testing.T) {
	o := newOne(t, Options{})
	o.set("k", "v", 0)
	for range maxSnapshots {
		s, err := o.k.Snapshot(SnapshotOptions{DB: 0})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
	}
	if _, err := o.k.Snapshot(SnapshotOptions{DB: 0}); !errors.Is(err, ErrTooManySnapshots) {
		t.Fatalf("one snapshot too many: %v", err)
	}
}

// A big value is pinned, not copied, and reads as at the cut whatever happens to it.
func TestSnapshotPinsBigValues(t *testing.T) {
	o := newOne(t, Options{Databases: 2})
	big := strings.Repeat("b", 3<<20)
	changes := map[string]func(){
		"deleted":  func() { o.a.Delete(1, []byte("deleted")) },
		"appended": func() { _, _ = o.a.AppendString(1, []byte("appended"), []byte("more")) },
		"written":  func() { _, _ = o.a.SetRange(1, []byte("written"), 7, []byte("XX")) },
		"replaced": func() { o.set("replaced", big[:2<<20], 0) },
		"renamed":  func() { _ = o.a.Rename(1, []byte("renamed"), 1, []byte("other")); o.a.Delete(1, []byte("other")) },
		"moved":    func() { _ = o.a.Move(1, []byte("moved"), 1) },
		"expiring": func() { _, _ = o.a.SetExpireAt(1, []byte("expiring"), testNow+1) },
	}
	for key := range changes {
		o.set(key, big, 0)
	}
	s, err := o.k.Snapshot(SnapshotOptions{DB: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change()
	}
	if q := s.queue.mu.bytes; q > 4096 {
		t.Errorf("big values were copied: %d bytes queued", q)
	}
	var b Batch
	seen := 0
	for {
		err := s.Next(&b)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		err = b.Each(func(e Entry) error {
			seen++
			if e.DB != 0 || e.ExpireAt != 0 || !bytes.Equal(e.Value, []byte(big)) {
				t.Errorf("%s: db %d, expiry %d, %d bytes", e.Key, e.DB, e.ExpireAt, len(e.Value))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	if seen != len(changes) {
		t.Errorf("%d of %d keys", seen, len(changes))
	}
}

// Active expiry brings memory back, and stale wheel entries do not pile up.
func TestWheelIsRebuilt(t *testing.T) {
	o := newOne(t, Options{})
	for i := range 20_000 {
		// Each shorter expiry is one more entry.
		o.set(strconv.Itoa(i%500), "v", testNow+1_000_000-int64(i))
	}
	before := o.k.shards[0].spaces[0].Load().wheel.n
	for o.k.BackgroundStep(testNow, time.Second) {
	}
	if after := o.k.shards[0].spaces[0].Load().wheel.n; before < 10_000 || after > 2*500+1024 {
		t.Fatalf("%d entries for 500 keys, %d before", after, before)
	}
	if n := o.k.ExpireStep(testNow+1_000_000-20_000, time.Second); n != 0 {
		t.Fatalf("%d keys expired early", n)
	}
	if n := o.k.ExpireStep(testNow+1_000_000+tickMillis, time.Second); n != 500 || o.k.Len(0) != 0 {
		t.Fatalf("%d of 500 keys expired, %d left", n, o.k.Len(0))
	}
}
