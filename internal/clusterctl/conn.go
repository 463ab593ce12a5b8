package clusterctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// callTimeout bounds one command to one node; topology commands may take as long as
// an election.
const callTimeout = 10 * time.Second

// downWait is for how long a node that may not serve its keys just now is asked again,
// every downPause: a failover takes about a second, a stalled leader longer.
const (
	downWait  = 3 * time.Second
	downPause = 50 * time.Millisecond
)

// DefaultTimeout is Options.Timeout where none is said.
const DefaultTimeout = time.Minute

// Options of the connections to a cluster.
type Options struct {
	Password string // of every node; empty: none
	// Timeout is the longest that a step of a plan may go without getting further;
	// 0: DefaultTimeout.
	Timeout time.Duration
}

// Conns holds one small pool of connections a node, opened at first use.
type Conns struct {
	o  Options
	mu struct {
		sync.Mutex
		clients map[string]*redis.Client
	}
}

// NewConns returns an empty set of connections.
func NewConns(o Options) *Conns {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	c := &Conns{o: o}
	c.mu.clients = map[string]*redis.Client{}
	return c
}

// Close closes every connection.
func (c *Conns) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cl := range c.mu.clients {
		_ = cl.Close() // closing a client connection loses nothing
	}
	clear(c.mu.clients)
}

func (c *Conns) client(addr string) *redis.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	cl, ok := c.mu.clients[addr]
	if !ok {
		cl = redis.NewClient(&redis.Options{
			Addr: dialAddr(addr), Password: c.o.Password, Protocol: 2, DisableIdentity: true,
			MaxRetries: -1, DialTimeout: 2 * time.Second, DialerRetries: 1, ReadTimeout: callTimeout, PoolSize: 2,
		})
		c.mu.clients[addr] = cl
	}
	return cl
}

// Do sends one command to the node at addr and returns its reply. A command on keys that
// the node may not serve just now has not run: it is sent again for as long as an election
// or a failover may take.
func (c *Conns) Do(ctx context.Context, addr string, args ...any) (any, error) {
	for began := time.Now(); ; {
		reply, err := c.once(ctx, addr, args...)
		if err == nil || !strings.HasPrefix(err.Error(), "CLUSTERDOWN") || time.Since(began) > downWait || !sleep(ctx, downPause) {
			if err != nil {
				err = explain(addr, commandName(args), err)
			}
			return reply, err
		}
	}
}

// sleep waits; false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (c *Conns) once(ctx context.Context, addr string, args ...any) (any, error) {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	reply, err := c.client(addr).Do(call, args...).Result()
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // whatever the connection says of it
		}
		return nil, err
	}
	return reply, nil
}

func commandName(args []any) string {
	var words []string
	for _, a := range args[:min(2, len(args))] {
		words = append(words, fmt.Sprint(a))
	}
	return strings.Join(words, " ")
}

// Text sends a command whose reply is a string.
func (c *Conns) Text(ctx context.Context, addr string, args ...any) (string, error) {
	reply, err := c.Do(ctx, addr, args...)
	if err != nil {
		return "", err
	}
	s, ok := reply.(string)
	if !ok {
		return "", fmt.Errorf("%s: %s: unexpected reply %T", addr, commandName(args), reply)
	}
	return s, nil
}

// State reads the cluster as the node at addr sees it.
func (c *Conns) State(ctx context.Context, addr string) (*State, error) {
	if _, _, err := splitAddr(addr); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	text, err := c.Text(ctx, addr, "CLUSTER", "NODES")
	if err != nil {
		return nil, err
	}
	st, err := ParseNodes(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	if st.Node(st.Self) == nil {
		return nil, fmt.Errorf("%s: CLUSTER NODES marks no line with myself", addr)
	}
	return st, nil
}

// AnyState reads the cluster from the first of addrs that answers.
func (c *Conns) AnyState(ctx context.Context, addrs []string) (*State, error) {
	var errs []error
	for _, addr := range addrs {
		st, err := c.State(ctx, addr)
		if err == nil {
			return st, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// FirstOf returns the first of addrs that answers.
func (c *Conns) FirstOf(ctx context.Context, addrs []string) (string, error) {
	if len(addrs) == 0 {
		return "", fmt.Errorf("%w: no address of a member", ErrUsage)
	}
	if err := checkAddrs(addrs); err != nil {
		return "", err
	}
	var errs []error
	for _, addr := range addrs {
		_, err := c.State(ctx, addr)
		if err == nil {
			return addr, nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// Fields reads a reply of "name:value" lines (INFO, CLUSTER INFO).
func (c *Conns) Fields(ctx context.Context, addr string, args ...any) (map[string]string, error) {
	text, err := c.Text(ctx, addr, args...)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && !strings.HasPrefix(name, "#") {
			out[name] = value
		}
	}
	return out, nil
}

// parallelNodes bounds how many nodes are asked at once.
const parallelNodes = 16

// each calls f for 0..n-1, up to parallelNodes at once, and returns when all are done.
func each(n int, f func(i int)) {
	var wg sync.WaitGroup
	turn := make(chan struct{}, parallelNodes)
	for i := range n {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			f(i)
		})
	}
	wg.Wait()
}

// waitFor polls until done returns true, an error, or the timeout passes. done is
// called at least once; missing says what it waits for.
func waitFor(ctx context.Context, timeout time.Duration, done func() (ok bool, missing string, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, missing, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("%w after %v: %s", ErrTimeout, timeout, missing)
			}
			return ctx.Err()
		}
	}
}
