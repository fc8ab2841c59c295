// Package members knows the addresses that make up a cluster, and finds out
// which of them is this node.
package members

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// DefaultPort is the port of an address that names none.
const DefaultPort = "6701"

// Parse makes an address one that can be dialed and compared: host:port, the
// host in its shortest form and in lower case. It takes a host name, an IPv4 or
// an IPv6 address, each with a port or without; IPv6 with a port, and only
// then, needs its brackets.
func Parse(addr string) (string, error) {
	host, port, err := split(addr)
	if err != nil {
		return "", fmt.Errorf("address %q: %w", addr, err)
	}
	if isIP(host) {
		host = netip.MustParseAddr(host).Unmap().String()
	} else if host = strings.ToLower(host); !isHostName(host) {
		return "", fmt.Errorf("address %q: %q is neither an IP address nor a host name", addr, host)
	}
	return net.JoinHostPort(host, port), nil
}

// split takes an address apart. The host may be empty only where an interface
// to listen on is meant, which Parse refuses.
func split(addr string) (host, port string, err error) {
	bare := addr
	if inner, ok := strings.CutPrefix(addr, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			bare = inner
		}
	}
	if isIP(bare) {
		return bare, DefaultPort, nil
	}
	if !strings.Contains(addr, ":") {
		return addr, DefaultPort, nil
	}
	host, port, err = net.SplitHostPort(addr)
	if err != nil {
		return "", "", err
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "", "", fmt.Errorf("%q is not a port", port)
	}
	return host, port, nil
}

// isIP reports whether host is an IP address. A zone may be anything to
// netip, which would let the brackets of another address in.
func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil && !strings.ContainsAny(host, "[]/ ")
}

// isHostName reports whether a resolver can be asked for host (RFC 1123, and
// underscores, which container networks use).
func isHostName(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' {
			return false
		}
		for _, r := range label {
			if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
				return false
			}
		}
	}
	return true
}

// List makes a list of addresses one that can be compared: parsed, sorted,
// each once.
func List(addrs []string) ([]string, error) {
	list := make([]string, 0, len(addrs))
	for _, addr := range addrs {
		parsed, err := Parse(addr)
		if err != nil {
			return nil, err
		}
		if _, port, _ := net.SplitHostPort(parsed); port == "0" {
			return nil, fmt.Errorf("address %q: nobody can be dialed at port 0", addr)
		}
		list = append(list, parsed)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}
