package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/inelpandzic/imdgo"
)

// errRequest is returned when a request makes no sense.
var errRequest = errors.New("bad request")

// fail answers with what an error means to a client.
func fail(w http.ResponseWriter, err error) {
	status, text := describe(err)
	switch {
	case status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	case status == http.StatusInternalServerError:
		slog.Error("a request failed", "error", err)
	}
	http.Error(w, text, status)
}

// describe gives an error its HTTP status and a text. An unknown outcome comes
// before its reason, which may be that the cache is closing or a context ended.
func describe(err error) (status int, text string) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, imdgo.ErrUnknownOutcome):
		return http.StatusGatewayTimeout, "the write was handed to the cluster, which did not confirm it in time:\n" +
			"it may have been applied, may yet be, or never. Read before you try again."
	case errors.Is(err, imdgo.ErrNoLeader), errors.Is(err, imdgo.ErrTimeout):
		return http.StatusServiceUnavailable, "the cluster has no majority or is electing a leader; try again"
	case errors.Is(err, imdgo.ErrClosed):
		return http.StatusServiceUnavailable, "this instance is ending; try again"
	case errors.Is(err, imdgo.ErrTooLarge), errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, err.Error()
	case errors.Is(err, errNoProduct), errors.Is(err, imdgo.ErrNotFound):
		return http.StatusNotFound, errNoProduct.Error()
	case errors.Is(err, errPrice):
		return http.StatusUnprocessableEntity, err.Error()
	case errors.Is(err, errRequest), errors.Is(err, imdgo.ErrInvalid):
		return http.StatusBadRequest, err.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return http.StatusGatewayTimeout, "the request ended before the store answered"
	default:
		return http.StatusInternalServerError, "internal error"
	}
}
