package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// send sends n requests, pipelined, and checks that no reply is an error.
func (s *server) send(ctx context.Context, n int, request func(i int) []string) error {
	conn, err := net.Dial("tcp", s.addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // an interrupt ends the reads below
	defer stop()
	w, r := bufio.NewWriterSize(conn, 1<<16), bufio.NewReaderSize(conn, 1<<16)
	const batch = 500
	var line []byte
	for i := 0; i < n; i += batch {
		count := min(batch, n-i)
		for j := range count {
			line = appendRequest(line[:0], request(i+j))
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		for range count {
			if err := skipReply(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func appendRequest(b []byte, words []string) []byte {
	b = append(b, '*')
	b = strconv.AppendInt(b, int64(len(words)), 10)
	b = append(b, "\r\n"...)
	for _, word := range words {
		b = append(b, '$')
		b = strconv.AppendInt(b, int64(len(word)), 10)
		b = append(b, "\r\n"...)
		b = append(b, word...)
		b = append(b, "\r\n"...)
	}
	return b
}

// skipReply reads one reply that is no aggregate.
func skipReply(r *bufio.Reader) error {
	line, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	switch line[0] {
	case '-':
		return fmt.Errorf("the server says %s", strings.TrimSpace(line))
	case '$':
		n, err := strconv.Atoi(strings.TrimSpace(line[1:]))
		if err != nil || n < 0 {
			return err
		}
		_, err = r.Discard(n + 2)
		return err
	}
	return nil
}
