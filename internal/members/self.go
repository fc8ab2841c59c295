package members

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// resolveTimeout bounds the look-up of all names.
const resolveTimeout = 2 * time.Second

// Machine is what has to be known of the machine to find oneself among addresses.
type Machine interface {
	// Resolve returns the IP addresses of a host name or address.
	Resolve(ctx context.Context, host string) ([]netip.Addr, error)
	// Addresses returns the IP addresses of this machine.
	Addresses() ([]netip.Addr, error)
}

// Place is where a node stands.
type Place struct {
	Name   string // what others dial, and who it is among the members
	Listen string // where it listens
}

// Places returns where a node may stand, the likeliest first: whoever opens the
// ports takes the first that is free. bind and advertise are what the user
// named, or empty; members are a List.
func Places(m Machine, members []string, bind, advertise string) ([]Place, error) {
	if advertise != "" {
		name, err := Parse(advertise)
		if err != nil {
			return nil, err
		}
		if bind == "" {
			bind = name
		}
		return []Place{{Name: name, Listen: bind}}, nil
	}
	if bind == "" {
		return among(m, members)
	}
	host, port, err := split(bind)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", bind, err)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		return everywhere(m, members, bind, port)
	}
	name, err := Parse(bind)
	if err != nil {
		return nil, err
	}
	listen := name
	if !slices.Contains(members, name) {
		name = alsoKnownAs(m, members, name)
	}
	return []Place{{Name: name, Listen: listen}}, nil
}

// among finds the members that are addresses of this machine.
func among(m Machine, members []string) ([]Place, error) {
	var places []Place
	local, unresolved := locals(m, members)
	if a, b, ok := oneNode(m, local); ok {
		return nil, fmt.Errorf("members %q and %q are the same node under two names", a, b)
	}
	for _, member := range local {
		places = append(places, Place{Name: member, Listen: listenAt(m, member)})
	}
	if len(places) > 0 {
		return places, nil
	}
	err := fmt.Errorf("none of the members %q is an address of this machine: name this node's own with WithBindAddr", members)
	return nil, errors.Join(err, unresolved)
}

// everywhere is for a node that listens on all interfaces: it is the local
// member with that port.
func everywhere(m Machine, members []string, bind, port string) ([]Place, error) {
	local, unresolved := locals(m, members)
	for _, member := range local {
		if _, p, _ := net.SplitHostPort(member); p == port {
			return []Place{{Name: member, Listen: bind}}, nil
		}
	}
	err := fmt.Errorf("what others dial to reach %q cannot be told, none of the members %q is an address of this machine "+
		"with that port: name it with WithAdvertiseAddr", bind, members)
	return nil, errors.Join(err, unresolved)
}

// alsoKnownAs finds the member that resolves to the address that this node
// listens on, so that it is known by the name that the others use. Without one
// it is who it says, and joins as a new node.
func alsoKnownAs(m Machine, members []string, name string) string {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	host, port, _ := net.SplitHostPort(name)
	own, err := m.Resolve(ctx, host)
	if err != nil {
		return name
	}
	for _, member := range members {
		h, p, _ := net.SplitHostPort(member)
		if p != port {
			continue
		}
		ips, err := m.Resolve(ctx, h)
		if err == nil && slices.ContainsFunc(ips, func(ip netip.Addr) bool { return slices.Contains(own, ip) }) {
			return member
		}
	}
	return name
}

// locals are the members whose host is this machine, and what could not be
// looked up.
func locals(m Machine, members []string) (local []string, unresolved error) {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	own, err := m.Addresses()
	if err != nil {
		return nil, fmt.Errorf("reading this machine's addresses: %w", err)
	}
	for _, member := range members {
		host, _, _ := net.SplitHostPort(member)
		ips, err := m.Resolve(ctx, host)
		if err != nil {
			unresolved = errors.Join(unresolved, fmt.Errorf("member %q: %w", member, err))
			continue
		}
		if slices.ContainsFunc(ips, func(ip netip.Addr) bool { return ip.IsLoopback() || slices.Contains(own, ip.WithZone("")) }) {
			local = append(local, member)
		}
	}
	return local, unresolved
}

// oneNode finds two members that listen at the same address: a majority of such
// a list would not be one of nodes.
func oneNode(m Machine, members []string) (a, b string, found bool) {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	seen := make(map[netip.AddrPort]string)
	for _, member := range members {
		host, port, _ := net.SplitHostPort(member)
		ips, err := m.Resolve(ctx, host)
		if err != nil {
			continue
		}
		n, _ := strconv.ParseUint(port, 10, 16)
		for _, ip := range ips {
			at := netip.AddrPortFrom(ip, uint16(n))
			if other, ok := seen[at]; ok && other != member {
				return other, member, true
			}
			seen[at] = member
		}
	}
	return "", "", false
}

// listenAt is where a member that was found by its address listens: there, or,
// where a name leads to a loopback address here and to another one elsewhere
// (as in many an /etc/hosts), on all interfaces.
func listenAt(m Machine, member string) string {
	host, port, _ := net.SplitHostPort(member)
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return member
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	ips, err := m.Resolve(ctx, host)
	if err == nil && slices.ContainsFunc(ips, netip.Addr.IsLoopback) {
		return net.JoinHostPort("", port)
	}
	return member
}

// System is the machine that the process runs on.
type System struct{}

// Resolve implements Machine by the system's resolver.
func (System) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	return ips, err
}

// Addresses implements Machine by the interfaces of the machine.
func (System) Addresses() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var ips []netip.Addr
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			ips = append(ips, prefix.Addr().Unmap().WithZone(""))
		}
	}
	return ips, nil
}
