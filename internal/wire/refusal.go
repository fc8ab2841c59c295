package wire

import "fmt"

// Refusal is the acceptor's verdict on a preamble.
type Refusal uint8

// The verdicts. The numbers stand on the wire: append, never reorder or reuse.
const (
	Admitted         Refusal = 0
	WrongIncarnation Refusal = 1 // another life of the node was meant: the one that dials must look up who is there now
	WrongCluster     Refusal = 2 // the node belongs to another cluster
	WrongVersion     Refusal = 3 // the node speaks another version of this protocol
	Busy             Refusal = 4 // the node has as many connections of this kind as it takes: try again later
	ShuttingDown     Refusal = 5 // the node is closing
	UnknownPurpose   Refusal = 6 // the node does not know or does not serve what the connection is for
	NoMember         Refusal = 7 // who dials is not in the configuration that the node knows
)

// String returns the verdict in words.
func (r Refusal) String() string {
	switch r {
	case Admitted:
		return "admitted"
	case WrongIncarnation:
		return "wrong incarnation"
	case WrongCluster:
		return "wrong cluster"
	case WrongVersion:
		return "wrong version"
	case Busy:
		return "busy"
	case ShuttingDown:
		return "shutting down"
	case UnknownPurpose:
		return "unknown purpose"
	case NoMember:
		return "no member"
	}
	return fmt.Sprintf("refusal %d", uint8(r)) // of a newer version
}

// RefusedError is returned when the node at Addr answered a preamble and did not admit the connection. Nothing of what the
// connection was for has begun.
type RefusedError struct {
	Addr        string
	Refusal     Refusal
	Incarnation Incarnation // who lives at Addr now
	Cluster     ClusterID   // to which cluster that one belongs; 0: none yet
}

// Error says who refused and why.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("wire: %s refused the connection: %v (it is incarnation %v of cluster %v)",
		e.Addr, e.Refusal, e.Incarnation, e.Cluster)
}
