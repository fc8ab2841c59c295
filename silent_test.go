package imdgo_test

import (
	"context"
	"encoding/binary"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/inelpandzic/imdgo/imdgotest"
	"github.com/inelpandzic/imdgo/internal/wire"
)

// The schedule: of five, n1 asks the others for their promises, gets them and
// falls silent, before anybody knows whether it has founded a cluster. The others
// go on without it once all four have given it up; while one of them is missing,
// it may be the one that n1's cluster needs.
func TestASilentFounderIsGivenUpByAllOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 5, imdgotest.Unstarted())
		others := []string{"n2", "n3", "n4", "n5"}
		for i, a := range others {
			for _, b := range others[:i] {
				c.Cut(a, b)
			}
			c.Start(a)
		}
		port := wire.Open(wire.Config{Network: c.Net().Node("n1"), Addr: "n1:6701"})
		for _, name := range others {
			promised(t, port, name)
		}
		ok(t, port.Close())
		c.Heal()
		c.Partition(others[:3])
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := c.Node("n2").Cache.Ready(short); err == nil {
			t.Error("three have begun a cluster; with n5 the founder may have one, too")
		}
		c.Heal()
		c.Isolate("n1")
		c.WaitReady()
		c.Heal()
		c.Start("n1")
		c.WaitReady()
	})
}

// promised asks a node for its promise, as n1 does.
func promised(t *testing.T, port *wire.Port, name string) {
	t.Helper()
	const inc, askPromise = wire.Incarnation(77), 2
	conn, err := port.Dial(ctx, name+":6701", wire.Preamble{Purpose: wire.Join, Origin: inc})
	ok(t, err)
	defer conn.Close()
	question, err := msgpack.Marshal(map[string]any{"Ask": askPromise, "Name": "n1:6701", "Incarnation": inc, "Round": 1,
		"Members": []string{"n1:6701", "n2:6701", "n3:6701", "n4:6701", "n5:6701"}})
	ok(t, err)
	_, err = conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(question))), question...))
	ok(t, err)
	reply, err := io.ReadAll(conn)
	ok(t, err)
	var answer struct {
		Granted bool
		Reason  string
	}
	ok(t, msgpack.Unmarshal(reply[4:], &answer))
	if !answer.Granted {
		t.Fatalf("%s gives no promise: %s", name, answer.Reason)
	}
}
