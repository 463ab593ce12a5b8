package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const (
	loopEvents = 128
	// turnWrite bounds what one turn sends to one client: the others wait meanwhile.
	turnWrite = 1 << 20
	// A socket is watched level-triggered: what a turn leaves is announced again.
	watchIn  = syscall.EPOLLIN
	watchOut = syscall.EPOLLOUT
)

// loop is the event loop driver: one goroutine that waits for many sockets at once, and
// reads, runs and writes in turns, one a ready socket. The sockets are descriptors of
// their own, unknown to the runtime's poller. Whoever holds a connection's mutex owns its
// session, as with the goroutine driver, so others may do so for a moment; what takes long
// leaves the loop (conn.leaveLocked).
//
//	wait --sockets are ready--> a turn each --> commit --> what they send --> mail --> commit --> wait
type loop struct {
	epfd, eventfd int
	// idle is set while the loop is about to sleep, or sleeps: who leaves mail then rings.
	idle  atomic.Bool
	conns atomic.Pointer[[]atomic.Pointer[conn]] // by descriptor; a snapshot that grows
	mu    struct {
		sync.Mutex
		mail  []*conn // they asked for a wake
		ended bool
	}
}

// newLoop returns a loop that run has to serve.
func newLoop() (*loop, error) {
	epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	const flags = syscall.O_CLOEXEC | syscall.O_NONBLOCK
	fd, _, errno := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, flags, 0)
	if errno != 0 {
		syscall.Close(epfd)
		return nil, fmt.Errorf("eventfd: %w", errno)
	}
	l := &loop{epfd: epfd, eventfd: int(fd)}
	l.conns.Store(&[]atomic.Pointer[conn]{})
	event := syscall.EpollEvent{Events: watchIn, Fd: int32(l.eventfd)}
	if err := syscall.EpollCtl(epfd, syscall.EPOLL_CTL_ADD, l.eventfd, &event); err != nil {
		l.closeFDs()
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	return l, nil
}

func (l *loop) closeFDs() {
	syscall.Close(l.epfd)
	syscall.Close(l.eventfd)
}

// run serves until end is called. What its sockets have written is made durable in groups:
// a turn of all that are ready is one.
func (l *loop) run(commit func(inPlace bool)) {
	defer l.closeFDs()
	var events [loopEvents]syscall.EpollEvent
	var mail []*conn
	turned := make([]*conn, 0, loopEvents)
	for {
		n := l.poll(events[:])
		if n == 0 {
			l.idle.Store(true)
			if mail = l.takeMail(mail); len(mail) == 0 {
				n = l.sleep(events[:])
			}
			l.idle.Store(false)
		}
		for i := range events[:n] {
			fd := int(events[i].Fd)
			if fd == l.eventfd {
				l.silence()
			} else if c := l.at(fd); c != nil {
				c.turn(events[i].Events)
				turned = append(turned, c)
			}
		}
		commit(true)
		for i, c := range turned {
			c.endTurn()
			turned[i] = nil
		}
		turned = turned[:0]
		if len(mail) == 0 {
			mail = l.takeMail(mail)
		}
		for i, c := range mail {
			c.wakeFromLoop()
			mail[i] = nil
		}
		if len(mail) > 0 {
			commit(true) // they may have written, too
			mail = mail[:0]
		}
		if l.over() {
			return
		}
	}
}

// poll returns the sockets that are ready, without waiting and without telling the
// scheduler of a call that does not wait.
func (l *loop) poll(events []syscall.EpollEvent) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(l.epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0 // EINTR: sleep sees what there is
	}
	return int(n)
}

// sleep is poll that waits; others use the processor meanwhile.
func (l *loop) sleep(events []syscall.EpollEvent) int {
	n, err := syscall.EpollWait(l.epfd, events, -1)
	if err != nil {
		return 0
	}
	return n
}

// silence takes the rings off the eventfd.
func (l *loop) silence() {
	var b [8]byte
	_, _ = syscall.Read(l.eventfd, b[:]) // it never blocks; nothing to read is as good
}

// ring ends a sleep.
func (l *loop) ring() {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], 1)
	_, _ = syscall.Write(l.eventfd, b[:]) // it fails only when enough rings are waiting
}

// post has the loop wake c's session soon.
func (l *loop) post(c *conn) {
	l.mu.Lock()
	l.mu.mail = append(l.mu.mail, c)
	l.mu.Unlock()
	if l.idle.Swap(false) {
		l.ring()
	}
}

// takeMail returns what was posted; spare is an empty list to leave in its place.
func (l *loop) takeMail(spare []*conn) []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.mu.mail) == 0 {
		return spare[:0]
	}
	mail := l.mu.mail
	l.mu.mail = spare[:0]
	return mail
}

func (l *loop) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.ended
}

// end makes run return. Every connection must have ended before.
func (l *loop) end() {
	l.mu.Lock()
	l.mu.ended = true
	l.mu.Unlock()
	l.ring()
}

// at returns the connection behind a descriptor, or nil.
func (l *loop) at(fd int) *conn {
	conns := *l.conns.Load()
	if fd >= len(conns) {
		return nil
	}
	return conns[fd].Load()
}

// put notes that c is the connection behind fd; nil: nobody is.
func (l *loop) put(fd int, c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	conns := *l.conns.Load()
	if fd >= len(conns) {
		grown := make([]atomic.Pointer[conn], max(64, 2*fd))
		for i := range conns {
			grown[i].Store(conns[i].Load())
		}
		l.conns.Store(&grown)
		conns = grown
	}
	conns[fd].Store(c)
}

// watch changes what the loop waits for at fd from one set of events to another; with
// none it does not look at the socket, whose end would be announced over and over.
func (l *loop) watch(fd int, from, to uint32) error {
	event := syscall.EpollEvent{Events: to, Fd: int32(fd)}
	op := syscall.EPOLL_CTL_MOD
	switch {
	case from == 0:
		op = syscall.EPOLL_CTL_ADD
	case to == 0:
		op = syscall.EPOLL_CTL_DEL
	}
	return syscall.EpollCtl(l.epfd, op, fd, &event)
}

// errWouldBlock says that a socket has nothing to read, or no room.
var errWouldBlock = errors.New("would block")

// readFD reads what there is, io.EOF at the end.
func readFD(fd int, b []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return 0, errWouldBlock
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		default:
			return int(n), nil
		}
	}
}

// writeFD writes what the socket takes, at most turnWrite bytes.
func writeFD(fd int, b []byte) (int, error) {
	b = b[:min(len(b), turnWrite)]
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, errno
		}
	}
}

// dupFD returns a second descriptor of nc's socket, which the runtime's poller does not
// know.
func dupFD(nc net.Conn) (fd int, err error) {
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return -1, err
	}
	var errno syscall.Errno
	err = raw.Control(func(p uintptr) {
		var n uintptr
		n, _, errno = syscall.Syscall(syscall.SYS_FCNTL, p, syscall.F_DUPFD_CLOEXEC, 0)
		fd = int(n)
	})
	if err == nil && errno != 0 {
		err = errno
	}
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// connOf gives a socket to the runtime's poller; fd is closed in any case.
func connOf(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	return net.FileConn(f)
}

func closeFD(fd int) { syscall.Close(fd) }
