package imdgotest

import (
	"syscall"
	"time"
)

// Cut cuts the link between two nodes in both directions, as a pulled cable does. Nothing is reset:
// bytes under way are held back and arrive after [Net.Heal], reads and dials wait, writes wait once
// 256 KiB are held. If one end closes, the other does not learn of it before the link heals. Only
// what has already reached the far node (up to some 64 KiB, in its receive buffer) can still be read there.
func (n *Net) Cut(a, b string) {
	n.links.change(func() {
		n.links.cuts[edge{a, b}] = true
		n.links.cuts[edge{b, a}] = true
	})
}

// CutOneWay cuts one direction of a link only: what from sends does not reach to. A new connection
// needs both directions, so dials wait whoever makes them. Acknowledgements are not modelled: bytes in
// the other direction go on arriving.
func (n *Net) CutOneWay(from, to string) {
	n.links.change(func() { n.links.cuts[edge{from, to}] = true })
}

// Isolate cuts a node off from all others, present and future.
func (n *Net) Isolate(node string) {
	n.links.change(func() { n.links.isolated[node] = true })
}

// Partition lets two nodes reach each other only where they share a group. Nodes that no group names
// form one more group together, so Partition([]string{"n1"}) separates n1 from the rest; a node
// in two groups is a bridge. A new partition replaces the one before it and leaves other cuts alone.
func (n *Net) Partition(groups ...[]string) {
	sets := make([]map[string]bool, len(groups))
	for i, g := range groups {
		sets[i] = map[string]bool{}
		for _, node := range g {
			sets[i][node] = true
		}
	}
	n.links.change(func() { n.links.groups = sets })
}

// Heal ends every cut, isolation and partition. Delays stay, and killed nodes stay dead.
func (n *Net) Heal() {
	n.links.change(n.links.reset)
}

// Delay makes every chunk written between two nodes take d longer to arrive, in either direction, and
// a dial two times d. The order is kept and the bandwidth is not limited beyond what 256 KiB under way
// allow. Chunks already under way keep the delay they started with; 0 ends the delay.
func (n *Net) Delay(a, b string, d time.Duration) {
	n.DelayOneWay(a, b, d)
	n.DelayOneWay(b, a, d)
}

// DelayOneWay is [Net.Delay] for one direction of a link only.
func (n *Net) DelayOneWay(from, to string, d time.Duration) {
	n.links.change(func() { n.links.delays[edge{from, to}] = d })
}

// Kill does to the network what the death of a node's process does: its listeners close and its
// connections are reset at both ends; at an end behind a cut, once that heals. Later dials to the node
// are refused. What still runs of it can neither dial nor listen, also after [Net.Revive].
func (n *Net) Kill(node string) {
	conns, listeners := n.bury(node)
	for _, l := range listeners {
		l.Close()
	}
	for _, c := range conns {
		c.end(syscall.ECONNRESET, true)
		if cut, _ := n.links.look(c.link); !cut {
			c.peer.end(syscall.ECONNRESET, true) // else the relay does, after the cut
		}
	}
}

// Revive lets a killed node's name be used by a new process: [Net.Node] returns a working view again.
// It does nothing for a node that is alive.
func (n *Net) Revive(node string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if old, ok := n.lives[node]; ok && old.ctx.Err() != nil && n.ctx.Err() == nil {
		delete(n.lives, node)
	}
}

// Reset resets every connection between two nodes, at both ends, as a router does that has forgotten
// them. New ones can be made at once. What a cut holds back of them is lost.
func (n *Net) Reset(a, b string) {
	for _, c := range n.between(a, b) {
		c.end(syscall.ECONNRESET, true)
	}
}

// between returns all ends of the connections between two nodes.
func (n *Net) between(a, b string) (conns []*conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.lives {
		for c := range l.conns {
			if c.link == (edge{a, b}) || c.link == (edge{b, a}) {
				conns = append(conns, c)
			}
		}
	}
	return conns
}
