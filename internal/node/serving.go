package node

import (
	"net"

	"github.com/inelpandzic/imdgo/internal/wire"
)

// identity is who this node is now, for the port.
func (n *Node) identity() (wire.ClusterID, wire.Incarnation) {
	l := n.life.Load()
	if l == nil {
		return 0, 0
	}
	return l.cluster(), l.inc
}

// admit decides about a connection from outside.
func (n *Node) admit(pre wire.Preamble) wire.Refusal {
	l := n.life.Load()
	if l == nil {
		return wire.ShuttingDown
	}
	switch pre.Purpose {
	case wire.Raft:
		return l.admitRaft(pre)
	case wire.Forward:
		if pre.Target != l.inc {
			return wire.WrongIncarnation
		}
		if pre.Cluster == 0 || pre.Cluster != l.cluster() {
			return wire.WrongCluster
		}
		if !l.isMember(pre.Origin) {
			return wire.NoMember
		}
	}
	return wire.Admitted
}

// serve has a connection from outside served.
func (n *Node) serve(pre wire.Preamble, conn net.Conn) {
	switch pre.Purpose {
	case wire.Probe, wire.Join:
		n.serveControl(conn)
	case wire.Forward:
		l := n.life.Load()
		if l == nil || l.inc != pre.Target {
			return // the life that admitted it has ended since
		}
		defer l.onlyOne(pre.Origin, conn)()
		// The connection ends with the life that admitted it.
		if err := n.forwarded.Serve(l.ctx, conn, l.proposer.submit); err != nil {
			n.log.Debug("a forwarding connection ended", "error", err)
		}
	}
}
