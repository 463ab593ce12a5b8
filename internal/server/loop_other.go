//go:build !linux

package server

import (
	"errors"
	"net"
)

const (
	watchIn  uint32 = 1
	watchOut uint32 = 2
)

var (
	errNoLoop     = errors.New("server: event loops are for Linux")
	errWouldBlock = errors.New("would block")
)

// loop is for Linux; elsewhere every connection has a goroutine.
type loop struct{}

func newLoop() (*loop, error) { return nil, errNoLoop }

func (*loop) run(func(inPlace bool)) {}

func (*loop) end() {}

func (*loop) post(*conn) {}

func (*loop) put(int, *conn) {}

func (*loop) watch(fd int, from, to uint32) error { return errNoLoop }

func readFD(int, []byte) (int, error) { return 0, errNoLoop }

func writeFD(int, []byte) (int, error) { return 0, errNoLoop }

func dupFD(net.Conn) (int, error) { return -1, errNoLoop }

func connOf(int) (net.Conn, error) { return nil, errNoLoop }

func closeFD(int) {}
