// Package node owns one Raft group's node: its lives in a cluster, the one
// proposer through which everything changes, and the clock that local reads
// are judged by.
//
// # Who does what
//
//	Node      lives as long as the process wants it; owns the port, the outbox and the clock
//	life      one incarnation: a raft.Raft with its log, transport and replica
//	outbox    collects what is asked on this node into parts and keeps each until this replica has applied it
//	courier   hands parts to the leader, wherever it is, and again to the next one
//	proposer  on the leader: stamps and collects parts into batches, decides what expires
//	seeker    finds or forms a cluster, and notices when a life has no future
//	registrar on the leader: lets nodes join, promotes them, lets them go
//	home      the data directory, if there is one: who the node is, its log, votes and snapshots
//
// # Incarnations
//
// A node's life in a cluster is an incarnation: a random number that is part
// of its ServerID and ServerAddress and of every connection's preamble. A
// process that restarts has forgotten its log and its votes. Raft knows nobody
// by anything but an address, and a blank node grants anybody its vote, so what
// was acknowledged with the help of its former life could be lost. With
// incarnations it is somebody else, who has to join. With a data directory a
// process goes on with the incarnation that is written there, see home; what it
// does not know until a leader tells it is what the time is.
package node
