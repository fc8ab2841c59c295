package wire

import "net"

// What the tests, which stand outside the package, need of its insides.
const (
	Grace            = grace
	StreamDialLimit  = streamDialLimit
	StreamCloseLimit = streamCloseLimit
	PreambleSize     = preambleSize
	ReplySize        = replySize
)

func EncodePreamble(p Preamble) []byte                         { return p.encode() }
func DecodePreamble(b []byte) (Preamble, error)                { return decodePreamble(b) }
func Seal(b []byte) []byte                                     { return seal(b) }
func EncodeReply(r Refusal, c ClusterID, i Incarnation) []byte { return reply{r, c, i}.encode() }

func DecodeReply(b []byte) (Refusal, ClusterID, Incarnation, error) {
	r, err := decodeReply(b)
	return r.refusal, r.cluster, r.incarnation, err
}

// Register and HandOver are the steps of a connection in flight that Close of the stream may come before.
func (s *Stream) Register(nc net.Conn) bool { return s.register(s.port.track(nc)) }
func (s *Stream) HandOver(nc net.Conn) bool { return s.handOver(s.port.track(nc)) }

// Drained tells whether the stream is closed and so are all connections that were accepted from it.
func (s *Stream) Drained() bool {
	select {
	case <-s.drained:
		return true
	default:
		return false
	}
}

// Held returns how many connections and streams the Port keeps in mind.
func (p *Port) Held() (conns, streams int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns), len(p.streams)
}
