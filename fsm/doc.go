// Package fsm is the replicated state machine: maps of entries with versions
// and deadlines, the cluster's applied clock, and the results of recent
// requests. A [Machine] is a pure function of the log: given the same entries
// it holds the same state on every node, so it reads no clock, starts no
// goroutine, opens nothing and draws nothing at random, and what it keeps
// never depends on the order in which Go ranges over a map. (The index of a
// node hashes keys with a seed of the process, which decides nothing but where
// an entry is found.)
//
// # Writing and reading
//
// One goroutine applies. Readers run beside it, without a lock of the
// machine's: they look an [Entry] up in a concurrent-map and load its [Value],
// which is immutable once it is there. Reading needs a time, which the reader
// brings along; the machine's own clock decides everything that is replicated.
//
// # Deadlines
//
// An entry whose deadline is not after the applied clock is absent to every
// operation. It leaves memory when an expire command of the leader covers it:
// every entry whose (deadline, version) is not above a threshold goes. Which
// ones go depends on the state alone, not on how a replica's index of
// deadlines happens to be arranged.
//
// # Applied once
//
// A request carries its origin, its sequence there, the origin's lowest
// unanswered sequence and the moment after which it may not be applied. A
// result is kept until the origin's lowest unanswered sequence has passed it
// or the clock has passed that moment, so a copy that arrives later is either
// answered from the table or refused. (Ongaro's thesis, section 6.3, with the
// sessions bounded by time instead of by a number of clients.)
package fsm
