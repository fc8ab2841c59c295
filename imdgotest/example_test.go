package imdgotest_test

import (
	"fmt"
	"log"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

// test stands for the *testing.T of a test, which an example has not got.
type test struct {
	testing.TB
	cleanups []func()
}

func (*test) Helper()                        {}
func (*test) Failed() bool                   { return false }
func (*test) Fatalf(format string, a ...any) { log.Fatalf(format, a...) }
func (*test) Errorf(format string, a ...any) { log.Printf(format, a...) }
func (t *test) Cleanup(f func())             { t.cleanups = append(t.cleanups, f) }

func (t *test) end() {
	for _, f := range t.cleanups {
		f()
	}
}

// What the leader acknowledged is not lost with it. In a synctest bubble the election would take no time.
func ExampleCluster() {
	t := new(test)
	defer t.end()

	c := imdgotest.NewCluster(t, 3)
	leader := c.Leader()
	if err := leader.Cache.Set("greeting", "hello", imdgo.TTL(time.Minute)); err != nil {
		t.Fatalf("%v", err)
	}
	c.Kill(leader.Name)
	fmt.Println(c.Leader().Cache.Get("greeting"))

	c.Tick(time.Minute) // nobody waits
	fmt.Println(c.Leader().Cache.Get("greeting"))

	c.Restart(leader.Name)
	c.WaitReady()
	// Output:
	// hello true
	// <nil> false
}

// A scenario reads as a specification, and one script is one test.
func ExampleRun() {
	var t *testing.T // the test's

	imdgotest.Run(t, `
		cluster 3
		set n1 a=1 ttl=1m
		name leader @old
		isolate @old
		set leader a=2                     # the one that the others have elected
		get @old a -> 1
		heal
		eventually get @old a -> 2
	`)
}
