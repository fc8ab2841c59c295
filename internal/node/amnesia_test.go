package node

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

// A candidate that was elected by a node's former life asks what is at its
// address now. Without incarnations a blank node would grant it its vote, and
// an acknowledged write that only the former life had would be lost: that is
// shown by switching the check off.
func TestABlankNodeGrantsNoVoteToWhomItDoesNotKnow(t *testing.T) {
	for name, checked := range map[string]bool{"checked": true, "not checked": false} {
		t.Run(name, func(t *testing.T) {
			granted, err := voteOfABlankNode(t, checked)
			var refused *wire.RefusedError
			switch {
			case checked && (!errors.As(err, &refused) || refused.Refusal != wire.WrongCluster || granted):
				t.Errorf("granted %v, %v", granted, err)
			case !checked && (err != nil || !granted):
				t.Errorf("there is nothing to be protected from: granted %v, %v", granted, err)
			}
		})
	}
}

func voteOfABlankNode(t *testing.T, checked bool) (granted bool, err error) {
	const cluster = wire.ClusterID(7)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	name := listener.Addr().String()
	n, err := New(Config{Name: name, Members: []string{name, "127.0.0.1:1", "127.0.0.1:2"}, Listener: listener,
		Network: wire.TCP{}, Clock: SystemClock{}, Timeout: time.Second, LogLimit: 1 << 20, Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	if !checked {
		n.life.Load().clusterID.Store(uint64(cluster)) // as if it knew the candidate's cluster
	}
	candidate := wire.NewIncarnation()
	port := wire.Open(wire.Config{Addr: "127.0.0.1:1"})
	defer port.Close()
	trans := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{MaxPool: 1, Timeout: 5 * time.Second,
		Stream: port.Stream(func() wire.ClusterID { return cluster }, candidate), Logger: hclog.NewNullLogger()})
	defer trans.Close()
	address := wire.Address("127.0.0.1:1", candidate)
	request := raft.RequestVoteRequest{Term: 9, LastLogIndex: 1, LastLogTerm: 1, LeadershipTransfer: true, RPCHeader: raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(address), Addr: []byte(address)}}
	var response raft.RequestVoteResponse
	err = trans.RequestVote("", wire.Address(name, n.life.Load().inc), &request, &response)
	return response.Granted, err
}
