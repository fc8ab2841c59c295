// Package wire is the one TCP port of a node. Raft, forwarding, joining and probing share it; nothing else in imdgo opens a
// socket.
//
// A [Port] accepts and dials. Every connection begins with a [Preamble]: what it is for, which cluster it belongs to, which
// life ([Incarnation]) of the node it is meant for and which life of a node it comes from. The acceptor answers with who it is
// now and either admits the connection or says why not ([Refusal]). No Raft RPC names its target, and a node that lost its
// memory grants anybody its vote; the preamble is what keeps such a node from being taken for the one that it was.
//
// Admitted Raft connections go to the [Stream] of the incarnation they are meant for, a raft.StreamLayer that ends with that
// incarnation and takes all of its connections with it. The others go to Config.Serve.
//
// # What strangers can do
//
// Until its preamble is complete a connection costs a goroutine and 40 bytes, and it gets Config.HandshakeTimeout in all,
// however it spreads its bytes over that time. Config.MaxHandshakes may be in that state at once; for one more, the oldest is
// closed. Who does not open with the magic number gets no answer. Nothing that is read here announces a length, so nothing that
// is read here decides how much is allocated. Admitted connections are bounded too, those of Raft apart from all others, so
// that neither kind can keep the other out.
//
// Without TLS the preamble protects against mistakes and noise, not against somebody who has read this file.
//
// # Admission and a node whose state changes
//
// Config.Admit judges a preamble by what the node is at that moment, and the node may be something else a moment later. For
// Raft the registration with the stream is what counts, not the judgement:
//
//  1. a connection for incarnation A is admitted by Admit;
//  2. the node begins a new life: it closes A's stream;
//  3. the connection asks for A's stream. The stream is gone or refuses to register, and the reply is WrongIncarnation,
//     naming the life that the node leads by then.
//
// If 3 comes before 2, the connection is registered and Close of the stream closes it, wherever it is: its reply not yet
// written, written but not yet accepted by raft, or in raft's hands. So after Close of A's stream no connection for A is open.
//
// For the other purposes there is no such registration: Serve must take the node's state as it finds it, under the node's own
// lock, and not infer from having been called that what Admit saw still holds.
package wire
