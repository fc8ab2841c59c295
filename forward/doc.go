// Package forward is how operations get from the node they were issued on to
// the leader: parts in one direction, refusals in the other, pipelined on one
// connection. There are no acknowledgements. That a part was applied shows in
// the origin's own replica, which is where its callers wait; the leader answers
// only what it did not take.
//
// Frames are valid MessagePack, written and read by hand, so that other tools
// can look at them:
//
//	origin  = [3, origin uint64]
//	part    = [1, low uint64, first uint64, base uint64, count uint64, operations bin32]
//	refusal = [2, first uint64, reason uint8]
//
// A connection begins with the origin, whose sequences its parts are numbered
// by. That is not always the incarnation which the preamble has named: see
// internal/node.
package forward
