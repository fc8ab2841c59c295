package imdgotest_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"strings"
	"testing"

	"github.com/inelpandzic/imdgo/imdgotest"
)

// Real protocols run over both networks.

func TestHTTP(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Write(body)
		})}
		l := listen(t, fabric, "n1", ":80")
		go server.Serve(l)
		client := &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				return fabric.Node("n2").Dial(ctx, address)
			},
		}}
		defer client.CloseIdleConnections()
		defer server.Close()
		body := strings.Repeat("imdgo ", 100_000)
		for range 3 {
			response, err := client.Post("http://n1", "text/plain", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || string(got) != body {
				t.Fatalf("%d bytes came back, %v", len(got), err)
			}
		}
	})
}

// Sum is a service for TestRPC.
type Sum struct{}

func (Sum) Of(numbers []int, sum *int) error {
	for _, n := range numbers {
		*sum += n
	}
	return nil
}

func TestRPC(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		server := rpc.NewServer()
		server.Register(Sum{})
		go server.ServeConn(n2)
		client := rpc.NewClient(n1)
		defer client.Close()
		for range 100 {
			var sum int
			if err := client.Call("Sum.Of", []int{1, 2, 3}, &sum); err != nil || sum != 6 {
				t.Fatalf("sum %d, %v", sum, err)
			}
		}
	})
}
