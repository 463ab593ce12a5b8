package server

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// rawIO reads and writes a socket of the runtime's poller with system calls that do
// not tell the scheduler: none of them blocks, so there is nothing to tell, and that
// is a good part of what a small request costs. It allocates nothing per call.
type rawIO struct {
	conn    syscall.RawConn
	reader  func(fd uintptr) bool
	writer  func(fd uintptr) bool
	in      []byte
	inN     int
	inErr   error
	out     []byte
	outN    int
	outErrs error
}

// newRawIO returns nil for a connection without a descriptor of its own.
func newRawIO(nc net.Conn) *rawIO {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	r := &rawIO{conn: raw}
	r.reader, r.writer = r.tryRead, r.tryWrite
	return r
}

// read fills part of b, waiting for the client. One goroutine at a time.
func (r *rawIO) read(b []byte) (int, error) {
	r.in = b
	if err := r.conn.Read(r.reader); err != nil {
		return 0, err
	}
	return r.inN, r.inErr
}

func (r *rawIO) tryRead(fd uintptr) (done bool) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(&r.in[0])), uintptr(len(r.in)))
		switch errno {
		case 0:
			r.inN, r.inErr = int(n), nil
			if n == 0 {
				r.inErr = io.EOF
			}
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			r.inN, r.inErr = 0, errno
			return true
		}
	}
}

// write sends what the socket takes of b without waiting.
func (r *rawIO) write(b []byte) (int, error) {
	r.out, r.outN, r.outErrs = b, 0, nil
	if err := r.conn.Write(r.writer); err != nil {
		return r.outN, err
	}
	r.out = nil
	return r.outN, r.outErrs
}

func (r *rawIO) tryWrite(fd uintptr) (done bool) {
	for len(r.out) > r.outN {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(&r.out[r.outN])), uintptr(min(len(r.out)-r.outN, 1<<20)))
		switch errno {
		case 0:
			r.outN += int(n)
		case syscall.EINTR:
		case syscall.EAGAIN:
			return true
		default:
			r.outErrs = errno
			return true
		}
	}
	return true
}
