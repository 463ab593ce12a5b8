package serial

import (
	"errors"
	"slices"
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/persist"
	"github.com/redwingdb/redwing/internal/persist/rdb"
	"github.com/redwingdb/redwing/internal/resp"
)

// The texts are those of Redis 7.2, cluster.c, restoreCommand.
var (
	errBusyKey  = resp.NewError("BUSYKEY Target key name already exists.")
	errTTL      = resp.NewError("ERR Invalid TTL value, must be >= 0")
	errIdle     = resp.NewError("ERR Invalid IDLETIME value, must be >= 0")
	errFreq     = resp.NewError("ERR Invalid FREQ value, must be >= 0 and <= 255")
	errChecksum = resp.NewError("ERR DUMP payload version or checksum are wrong")
	errPayload  = resp.NewError("ERR Bad data format")
)

var (
	wordDel           = []byte("DEL")
	wordAbsTTL        = []byte("ABSTTL")
	wordReplace       = []byte("REPLACE")
	wordRestore       = []byte("RESTORE")
	wordRestoreAsking = []byte("RESTORE-ASKING")
)

// options are the words behind the payload.
type options struct {
	replace, absolute bool
	idle              int64 // seconds, -1: not given
	freq              int64 // -1: not given
}

func parseOptions(c *command.Ctx) (o options, err error) {
	o.idle, o.freq = -1, -1
	for i := 4; i < len(c.Args); i++ {
		more := i+1 < len(c.Args)
		switch word := c.Args[i]; {
		case command.Is(word, "replace"):
			o.replace = true
		case command.Is(word, "absttl"):
			o.absolute = true
		case command.Is(word, "idletime") && more && o.freq == -1:
			i++
			if o.idle, err = c.Int(i); err != nil {
				return o, err
			}
			if o.idle < 0 {
				return o, errIdle
			}
		case command.Is(word, "freq") && more && o.idle == -1:
			i++
			if o.freq, err = c.Int(i); err != nil {
				return o, err
			}
			if o.freq < 0 || o.freq > 255 {
				return o, errFreq
			}
		default:
			return o, resp.ErrSyntax
		}
	}
	return o, nil
}

// restoreAtOnce is the longest payload that is restored under a shard's mutex: no value
// of that many bytes has more elements than a command may touch there.
const restoreAtOnce = command.SlowElements * 2

// restore makes a key of a payload: RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME
// seconds | FREQ counter]. What is propagated has the expiry in absolute time.
func restore(c *command.Ctx) error {
	o, err := parseOptions(c)
	if err != nil {
		return err
	}
	key, slot, payload := c.Args[1], c.Slot(1), c.Args[3]
	_, there := c.DB.Peek(slot, key)
	if there && !o.replace {
		return errBusyKey
	}
	ttl, err := c.Int(2)
	if err != nil {
		return err
	}
	if ttl < 0 {
		return errTTL
	}
	r, err := rdb.NewPayloadReader(payload, rdb.ReaderOptions{MaxString: c.MaxString()})
	switch {
	case errors.Is(err, rdb.ErrPayload):
		return errChecksum
	case err != nil:
		return errPayload
	}
	if !c.Owner && len(payload) > restoreAtOnce {
		return command.ErrSlow
	}
	if ttl != 0 && !o.absolute {
		ttl += c.Now()
	}
	expired := ttl != 0 && ttl <= c.Now() && !c.Applying
	r.Key.ExpireAt, r.Key.Idle, r.Key.Freq = ttl, o.idle, int(o.freq)
	if err := load(c, r, expired); err != nil {
		return err
	}
	if expired {
		if there {
			c.DB.Delete(slot, key)
			c.Effect(slot, wordDel, key)
			c.Notify(command.NotifyGeneric, "del", 1)
			c.Changed(1)
		}
		c.Out.OK()
		return nil
	}
	if there { // Redis deletes what was there and adds another key
		c.Notify(command.NotifyNew, "new", 1)
	}
	c.Notify(command.NotifyGeneric, "restore", 1)
	c.Ready(1)
	c.Changed(1)
	stageRestore(c, &o, ttl)
	c.Out.OK()
	return nil
}

// stageRestore propagates what was restored, where the request as it came will not do. ttl is
// in full.
func stageRestore(c *command.Ctx, o *options, ttl int64) {
	full := ttl != 0 && !o.absolute
	newer := rdb.PayloadVersion(c.Args[3]) > rdb.Version
	if !full && !newer {
		return
	}
	args := slices.Clone(c.Args)
	if full {
		args[2] = strconv.AppendInt(nil, ttl, 10)
		args = append(args, wordAbsTTL)
	}
	if newer { // who follows may read nothing newer than the value needs
		var b engine.Batch
		if e, ok := c.DB.Entry(c.Slot(1), c.Args[1], &b); ok {
			args[3] = persist.Dump(nil, &e, true)
		}
	}
	c.Effect(c.Slot(1), args...)
}

// load makes the key, of a payload that may turn out to be damaged: then nothing has
// changed. With discard it is only read.
func load(c *command.Ctx, r *rdb.Reader, discard bool) error {
	key, slot := c.Args[1], c.Slot(1)
	err := c.Aside(slot, key, func(a *engine.Access) error {
		l := persist.Loader{Access: *a}
		err := l.LoadAs(r, key)
		if err != nil {
			return err
		}
		if _, ok := a.Peek(slot, key); !ok {
			return errPayload // a collection without elements
		}
		if discard {
			return errDiscarded
		}
		return nil
	})
	if errors.Is(err, errDiscarded) {
		return nil
	}
	return refusal(err)
}

// errDiscarded ends the loading of a value that is not to be kept.
var errDiscarded = errors.New("serial: value discarded")

// refusal returns what a client is told of a value that cannot be loaded.
func refusal(err error) error {
	switch {
	case err == nil, errors.Is(err, engine.ErrNoSpace):
		return err
	}
	return errPayload
}
