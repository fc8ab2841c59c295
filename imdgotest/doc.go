// Package imdgotest runs imdgo clusters under faults and on a clock of their own.
//
// It is what imdgo's own tests are written with, and it is public so that tests of programs that
// embed imdgo can cut a link, kill a node or let an hour pass in the same way. Production code has
// no business importing it.
//
// # Network
//
// A [Net] connects the nodes of one cluster. Every node gets its own view of it from [Net.Node], to
// be passed to imdgo.WithNetwork; because a view knows its node, either direction of a link can be
// cut or slowed on its own:
//
//	fabric := imdgotest.NewNet()
//	defer fabric.Close()
//	n1, n2 := fabric.Node("n1"), fabric.Node("n2")
//	...
//	fabric.Cut("n1", "n2") // nothing is reset: both sides wait, as after a pulled cable
//	fabric.Heal()          // what was under way arrives
//
// [NewNet] moves bytes in memory and works inside a testing/synctest bubble. [NewLoopback] moves
// them through real TCP connections. Faults and addresses are the same in both: an address such as
// "n1:6701" belongs to the node that listens on it, and no port of the machine is taken for it.
//
// # Clock
//
// A [Clock] is shared by a cluster and has a view for every node, to be passed to imdgo.WithClock.
// [Clock.Advance] lets time pass everywhere without waiting; the other methods make one node's clock
// wrong.
package imdgotest
