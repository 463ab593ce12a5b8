// Package geo implements the GEO commands, which keep positions as scores of a sorted
// set. It owns their exact Redis semantics: options, the order of checks, units, and the
// shapes of replies. Geometry is engine/geo's. It keeps no state; package command runs it
// under the locks of its keys.
package geo

import (
	"bytes"
	"math"
	"strconv"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/geo"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errUnit   = resp.NewError("ERR unsupported unit provided. please use M, KM, FT, MI")
	errMember = resp.NewError("ERR could not decode requested zset member")
)

// openRead opens the key at argument i for reading.
func openRead(c *command.Ctx, z *engine.ZSet, i int) (found bool, err error) {
	found, err = z.Open(&c.DB, c.Slot(i), c.Args[i])
	c.Count(found || err != nil)
	return found, err
}

func parseUnit(b []byte) (geo.Unit, error) {
	switch {
	case command.Is(b, "m"):
		return geo.Metre, nil
	case command.Is(b, "km"):
		return geo.Kilometre, nil
	case command.Is(b, "ft"):
		return geo.Foot, nil
	case command.Is(b, "mi"):
		return geo.Mile, nil
	}
	return 0, errUnit
}

// position reads arguments i and i+1 as longitude and latitude.
func position(c *command.Ctx, i int) (p geo.Point, err error) {
	if p.Lon, err = c.Double(i); err != nil {
		return p, err
	}
	if p.Lat, err = c.Double(i + 1); err != nil {
		return p, err
	}
	if !p.Valid() {
		return p, resp.NewError("ERR invalid longitude,latitude pair " + fixed(p.Lon) + "," + fixed(p.Lat))
	}
	return p, nil
}

// fixed prints v as C's %f.
func fixed(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	}
	return strconv.FormatFloat(v, 'f', 6, 64)
}

// replyDistance appends a distance, with four decimals.
func replyDistance(out *resp.Writer, v float64) {
	var text [340]byte
	out.Bulk(strconv.AppendFloat(text[:0], v, 'f', 4, 64))
}

// replyPosition appends longitude and latitude.
func replyPosition(out *resp.Writer, p geo.Point) {
	out.Array(2)
	replyCoordinate(out, p.Lon)
	replyCoordinate(out, p.Lat)
}

// replyCoordinate appends v with 17 decimals less the zeros at the end (Redis 7.2,
// networking.c, addReplyHumanLongDouble).
func replyCoordinate(out *resp.Writer, v float64) {
	var room [32]byte
	text := strconv.AppendFloat(room[:0], v, 'f', 17, 64)
	text = bytes.TrimSuffix(bytes.TrimRight(text, "0"), []byte("."))
	if string(text) == "-0" {
		text = text[1:]
	}
	if !out.RESP3 {
		out.Bulk(text)
		return
	}
	out.Buf = append(out.Buf, ',')
	out.Buf = append(out.Buf, text...)
	out.Buf = append(out.Buf, '\r', '\n')
}
