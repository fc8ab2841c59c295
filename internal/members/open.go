package members

import (
	"errors"
	"fmt"
	"net"
)

// Open listens at the first of places where that is possible, and returns the
// listener and the name that goes with it. A port of 0 is one that is free.
func Open(listen func(addr string) (net.Listener, error), places []Place) (net.Listener, string, error) {
	var failed error
	for _, place := range places {
		l, err := listen(place.Listen)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("listening at %q: %w", place.Listen, err))
			continue
		}
		return l, nameOf(place, l), nil
	}
	return nil, "", failed
}

func nameOf(place Place, l net.Listener) string {
	host, port, _ := net.SplitHostPort(place.Name)
	if port != "0" {
		return place.Name
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return place.Name
	}
	return net.JoinHostPort(host, port)
}
