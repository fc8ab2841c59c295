package wire_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo/internal/wire"
)

func TestGarbageGetsNoAnswer(t *testing.T) {
	p, addr := open(t, wire.Config{HandshakeTimeout: time.Hour})
	garbled := wire.EncodePreamble(somePreamble)
	garbled[20]++
	for name, garbage := range map[string][]byte{
		"http":             []byte("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"),
		"tls":              append([]byte{0x16, 0x03, 0x01, 0xff, 0xff, 0x01}, make([]byte, 100)...),
		"ssh":              []byte("SSH-2.0-OpenSSH_9.9\r\n"),
		"all ones":         bytes.Repeat([]byte{0xff}, 1<<20),
		"almost the magic": append([]byte("imdgo\xf5\x00\xfe"), make([]byte, 32)...),
		"garbled preamble": garbled,
		"garbled, and on":  append(garbled, bytes.Repeat([]byte{0xff}, 1<<20)...),
	} {
		t.Run(name, func(t *testing.T) {
			c := rawDial(t, wire.TCP{}, addr)
			_, _ = c.Write(garbage) // may fail: it is hung up on in the middle
			if answer := wantEnd(t, c); len(answer) != 0 {
				t.Errorf("got an answer: %q", answer)
			}
		})
	}
	wantEcho(t, mustDial(t, p, addr, wire.Preamble{Purpose: wire.Probe}))
}

func TestOtherVersionIsToldSo(t *testing.T) {
	_, addr := open(t, wire.Config{HandshakeTimeout: time.Hour})
	preamble := wire.EncodePreamble(somePreamble)
	preamble[8] = 2
	for name, sent := range map[string][]byte{
		"same size": preamble,
		"shorter":   preamble[:9],
		"longer":    append(bytes.Clone(preamble), make([]byte, 300)...),
	} {
		t.Run(name, func(t *testing.T) {
			c := rawDial(t, wire.TCP{}, addr)
			if _, err := c.Write(sent); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(c)
			if err != nil { // a reset could destroy the answer before it is read
				t.Errorf("no orderly end: %v", err)
			}
			refusal, cl, inc, err := wire.DecodeReply(answer)
			if err != nil || refusal != wire.WrongVersion || cl != cluster || inc != alice {
				t.Errorf("got %v, %v, %v, %v", refusal, cl, inc, err)
			}
		})
	}
}

// Each of these is slow, and each is closed when the handshake timeout has passed since it came, however it spreads its bytes.
func TestSlowHandshakesTimeOut(t *testing.T) {
	preamble := wire.EncodePreamble(wire.Preamble{Purpose: wire.Probe})
	for name, sent := range map[string][]byte{"nothing": nil, "one byte": preamble[:1], "half": preamble[:20], "dripping": preamble} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mem memory
				listener, _ := mem.Listen("alice")
				_, addr := open(t, wire.Config{Network: &mem, Listener: listener})
				start := time.Now()
				c := rawDial(t, &mem, addr)
				for i := range sent {
					time.Sleep(60 * time.Millisecond) // 40 of them are 2.4 s
					if _, err := c.Write(sent[i : i+1]); err != nil {
						break
					}
				}
				wantEnd(t, c)
				if took := time.Since(start).Truncate(60 * time.Millisecond); took > wire.DefaultHandshakeTimeout+60*time.Millisecond {
					t.Errorf("closed after %v", took)
				}
			})
		})
	}
}

func TestOldestPendingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mem memory
		listener, _ := mem.Listen("alice")
		_, addr := open(t, wire.Config{Network: &mem, Listener: listener, MaxHandshakes: 2, HandshakeTimeout: time.Hour})
		start := time.Now()
		first, second := rawDial(t, &mem, addr), rawDial(t, &mem, addr)
		third := rawDial(t, &mem, addr)
		wantEnd(t, first)
		if took := time.Since(start); took != wire.Grace {
			t.Errorf("dropped after %v, want after the grace of %v", took, wire.Grace)
		}
		for _, c := range []net.Conn{third, second} {
			wantAdmitted(t, c)
		}
	})
}

// A newcomer takes the place of one that finished at once, and does not wait for anybody's grace to end.
func TestNewcomerTakesAFreedPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mem memory
		listener, _ := mem.Listen("alice")
		_, addr := open(t, wire.Config{Network: &mem, Listener: listener, MaxHandshakes: 1})
		start := time.Now()
		first, second := rawDial(t, &mem, addr), rawDial(t, &mem, addr)
		synctest.Wait() // second has been accepted and waits for room
		wantAdmitted(t, first)
		wantAdmitted(t, second)
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

// wantAdmitted finishes the handshake of a raw connection.
func wantAdmitted(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write(wire.EncodePreamble(wire.Preamble{Purpose: wire.Probe})); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, wire.ReplySize)
	for n := 0; n < len(b); {
		m, err := c.Read(b[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	if refusal, _, _, err := wire.DecodeReply(b); err != nil || refusal != wire.Admitted {
		t.Fatalf("got %v, %v", refusal, err)
	}
}

// A half-open handshake that does not take its answer is pending like any other.
func TestUnreadAnswerTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mem memory
		listener, _ := mem.Listen("alice")
		p, addr := open(t, wire.Config{Network: &mem, Listener: listener})
		stream := p.Stream(inCluster, alice)
		c := rawDial(t, &mem, addr)
		if _, err := c.Write(wire.EncodePreamble(wire.Preamble{Purpose: wire.Raft, Target: alice})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(wire.DefaultHandshakeTimeout + time.Millisecond)
		wantEnd(t, c)
		_ = stream.Close()
	})
}

func TestTwoThousandIdleConnections(t *testing.T) {
	const idle, limit = 2000, wire.DefaultMaxHandshakes
	listener, err := wire.TCP{}.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counting := &census{Listener: listener}
	p, addr := open(t, wire.Config{Listener: counting, HandshakeTimeout: time.Hour})
	for range idle {
		c := rawDial(t, wire.TCP{}, addr)
		_ = c.(*net.TCPConn).SetLinger(0) // spare the machine 2,000 sockets in TIME_WAIT
	}
	c := mustDial(t, openDialer(t, wire.Config{}), addr, wire.Preamble{Purpose: wire.Forward})
	wantEcho(t, c)

	now, peak := counting.read()
	if peak > limit+2 { // the one that is just coming in, and ours
		t.Errorf("%d connections were open at once, want at most %d", peak, limit+2)
	}
	if now > limit+1 {
		t.Errorf("%d connections are open, want at most %d", now, limit+1)
	}
	_ = p.Close()
	if now, _ := counting.read(); now != 0 {
		t.Errorf("%d connections are open after Close", now)
	}
}

// census counts the accepted connections that are open.
type census struct {
	net.Listener
	mu        sync.Mutex // guards now and peak
	now, peak int
}

type counted struct {
	net.Conn
	once   sync.Once
	census *census
}

func (l *census) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.add(1)
	return &counted{Conn: c, census: l}, nil
}

func (l *census) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now += n
	l.peak = max(l.peak, l.now)
}

func (l *census) read() (now, peak int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now, l.peak
}

func (c *counted) Close() error {
	c.once.Do(func() { c.census.add(-1) })
	return c.Conn.Close()
}
