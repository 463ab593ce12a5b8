package clusterctl

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// splitAddr splits host:port, where the host may be an IPv6 address in brackets or bare.
func splitAddr(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		cut := strings.LastIndexByte(addr, ':')
		if cut < 0 {
			return "", 0, fmt.Errorf("address %q: want host:port", addr)
		}
		host, text = addr[:cut], addr[cut+1:]
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 || host == "" {
		return "", 0, fmt.Errorf("address %q: want host:port", addr)
	}
	return host, port, nil
}

// dialAddr returns addr with brackets around an IPv6 address, which CLUSTER NODES
// writes bare.
func dialAddr(addr string) string {
	host, port, err := splitAddr(addr)
	if err != nil {
		return addr // dialling it will say what is wrong
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

func hostOf(addr string) string {
	host, _, _ := splitAddr(addr) // addresses are checked long before hosts are compared
	return host
}

// sameHost reports whether two hosts are one, or resolve to a common address. Only
// names are looked up.
func sameHost(a, b string) bool {
	if a == b {
		return true
	}
	ipA, ipB := net.ParseIP(a), net.ParseIP(b)
	if ipA != nil && ipB != nil {
		return ipA.Equal(ipB)
	}
	as, errA := lookup(a)
	bs, errB := lookup(b)
	return errA == nil && errB == nil && slices.ContainsFunc(as, func(x string) bool { return slices.Contains(bs, x) })
}

// lookupTimeout bounds one question to the name service.
const lookupTimeout = 3 * time.Second

func lookup(host string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	return net.DefaultResolver.LookupHost(ctx, host)
}

// resolve returns the address of a host as CLUSTER MEET takes it, IPv4 if there is one.
func resolve(host string) (string, error) {
	if net.ParseIP(host) != nil {
		return host, nil
	}
	list, err := lookup(host)
	if err != nil {
		return "", err
	}
	for _, ip := range list {
		if net.ParseIP(ip).To4() != nil {
			return ip, nil
		}
	}
	return list[0], nil
}
