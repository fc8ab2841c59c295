package process

import (
	"errors"
	"net"
)

// FreePorts finds addresses on the loopback interface that nobody listens on
// at this moment.
func FreePorts(n int) (addrs []string, err error) {
	for range n {
		l, listenErr := net.Listen("tcp", "127.0.0.1:0")
		if listenErr != nil {
			return nil, listenErr
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}
