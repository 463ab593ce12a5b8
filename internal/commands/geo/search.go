package geo

import (
	"math"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/double"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/engine/geo"
	"github.com/redwingdb/redwing/internal/resp"
)

var (
	errNegRadius   = resp.NewError("ERR radius cannot be negative")
	errNegSides    = resp.NewError("ERR height or width cannot be negative")
	errCount       = resp.NewError("ERR COUNT must be > 0")
	errAny         = resp.NewError("ERR the ANY argument requires COUNT argument")
	errStoreWith   = resp.NewError("ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
	errSearchStore = resp.NewError("ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
	errVertices    = resp.NewError("ERR BYPOLYGON needs at least 3 vertices")
)

type order uint8

const (
	unordered order = iota
	ascending
	descending
)

// search is a parsed request of one of the searching commands.
type search struct {
	z     engine.ZSet // the positions
	found bool
	src   int // argument of their key
	store int // argument of the key to store into, 0: none

	centre        geo.Point
	radius        float64 // in units
	width, height float64 // in units
	vertices      []geo.Point
	unit          geo.Unit

	fromMember, fromPosition, byRadius, byBox, byPolygon bool

	withDist, withHash, withCoord, storeDist, any bool
	count                                         int // 0: all
	order                                         order
}

// open opens the sorted set of positions.
func (s *search) open(c *command.Ctx) (err error) {
	if s.found, err = s.z.Open(&c.DB, c.Slot(s.src), c.Args[s.src]); err != nil {
		c.Count(true)
	}
	return err
}

// at makes the position of a member the centre.
func (s *search) at(member []byte) error {
	score, ok := s.z.Score(member)
	if !ok {
		return errMember
	}
	s.centre = geo.Decode(score)
	return nil
}

// readRadius reads a radius and its unit from argument i on.
func (s *search) readRadius(c *command.Ctx, i int) error {
	var ok bool
	if s.radius, ok = double.Parse(c.Args[i]); !ok {
		return resp.NewError("ERR need numeric radius")
	}
	if s.radius < 0 {
		return errNegRadius
	}
	return s.readUnit(c, i+1)
}

func (s *search) readUnit(c *command.Ctx, i int) (err error) {
	s.unit, err = parseUnit(c.Args[i])
	return err
}

// readBox reads width, height and unit from argument i on.
func (s *search) readBox(c *command.Ctx, i int) error {
	var ok bool
	if s.width, ok = double.Parse(c.Args[i]); !ok {
		return resp.NewError("ERR need numeric width")
	}
	if s.height, ok = double.Parse(c.Args[i+1]); !ok {
		return resp.NewError("ERR need numeric height")
	}
	if s.width < 0 || s.height < 0 {
		return errNegSides
	}
	return s.readUnit(c, i+2)
}

// readPolygon reads the number of vertices and these from argument i on, and returns how
// many arguments that are.
func (s *search) readPolygon(c *command.Ctx, i int) (args int, err error) {
	n, err := c.Int(i)
	if err != nil {
		return 0, err
	}
	if n < 3 {
		return 0, errVertices
	}
	if n > int64(len(c.Args)-i-1)/2 {
		return 0, resp.ErrSyntax
	}
	s.unit = geo.Metre
	for j := range int(n) {
		p, err := position(c, i+1+2*j)
		if err != nil {
			return 0, err
		}
		s.vertices = append(s.vertices, p)
	}
	return 1 + 2*int(n), nil
}

// kind says which options a command has.
type kind uint8

const (
	mayStore    kind = 1 << iota // STORE and STOREDIST with a key
	searches                     // FROM... and BY...
	alwaysStore                  // GEOSEARCHSTORE
)

// options reads the options from argument i on (Redis 7.2, geo.c, georadiusGeneric).
func (s *search) options(c *command.Ctx, i int, k kind) error {
	for ; i < len(c.Args); i++ {
		word, left := c.Args[i], len(c.Args)-i-1
		has := func(name string, args int, allowed bool) bool {
			return allowed && left >= args && command.Is(word, name)
		}
		var err error
		switch {
		case has("withdist", 0, true):
			s.withDist = true
		case has("withhash", 0, true):
			s.withHash = true
		case has("withcoord", 0, true):
			s.withCoord = true
		case has("any", 0, true):
			s.any = true
		case has("asc", 0, true):
			s.order = ascending
		case has("desc", 0, true):
			s.order = descending
		case has("count", 1, true):
			i++
			n, failed := c.Int(i)
			if failed != nil {
				return failed
			}
			if n <= 0 {
				return errCount
			}
			s.count = int(min(n, math.MaxInt32))
		case has("store", 1, k&mayStore != 0):
			i++
			s.store, s.storeDist = i, false
		case has("storedist", 1, k&mayStore != 0):
			i++
			s.store, s.storeDist = i, true
		case has("storedist", 0, k&alwaysStore != 0):
			s.storeDist = true
		case has("frommember", 1, k&searches != 0 && !s.fromPosition && !s.byPolygon):
			i++
			s.fromMember = true
			if s.found { // else the reply is known, and only the syntax matters
				err = s.at(c.Args[i])
			}
		case has("fromlonlat", 2, k&searches != 0 && !s.fromMember && !s.byPolygon):
			s.fromPosition = true
			s.centre, err = position(c, i+1)
			i += 2
		case has("byradius", 2, k&searches != 0 && !s.byBox && !s.byPolygon):
			s.byRadius = true
			err = s.readRadius(c, i+1)
			i += 2
		case has("bybox", 3, k&searches != 0 && !s.byRadius && !s.byPolygon):
			s.byBox = true
			err = s.readBox(c, i+1)
			i += 3
		case has("bypolygon", 1, k&searches != 0 && !s.byRadius && !s.byBox && !s.byPolygon && !s.fromMember && !s.fromPosition):
			s.byPolygon = true
			var n int
			n, err = s.readPolygon(c, i+1)
			i += n
		default:
			return resp.ErrSyntax
		}
		if err != nil {
			return err
		}
	}
	return s.check(c, k)
}

func (s *search) check(c *command.Ctx, k kind) error {
	with := s.withDist || s.withHash || s.withCoord
	switch {
	case s.store != 0 && with && k&alwaysStore != 0:
		return errSearchStore
	case s.store != 0 && with:
		return errStoreWith
	case k&searches != 0 && !s.fromMember && !s.fromPosition && !s.byPolygon:
		return command.QuoteError("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ", string(c.Args[0]))
	case k&searches != 0 && !s.byRadius && !s.byBox && !s.byPolygon:
		return command.QuoteError("ERR exactly one of BYRADIUS and BYBOX can be specified for ", string(c.Args[0]))
	case s.any && s.count == 0:
		return errAny
	}
	// The nearest are meant where only so many are asked for.
	if s.count != 0 && s.order == unordered && !s.any {
		s.order = ascending
	}
	return nil
}

func (s *search) shape() geo.Shape {
	metres := float64(s.unit)
	switch {
	case s.byPolygon:
		return geo.NewPolygon(s.vertices)
	case s.byBox:
		return &geo.Box{Centre: s.centre, Width: s.width * metres, Height: s.height * metres}
	}
	return &geo.Circle{Centre: s.centre, Radius: s.radius * metres}
}
