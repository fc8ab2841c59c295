package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/inelpandzic/imdgo"
)

func TestErrorsBecomeStatuses(t *testing.T) {
	for _, test := range []struct {
		err        error
		status     int
		retryAfter string
	}{
		{imdgo.ErrNoLeader, 503, "1"},
		{fmt.Errorf("%w: %w", imdgo.ErrTimeout, context.DeadlineExceeded), 503, "1"},
		{imdgo.ErrClosed, 503, "1"},
		{imdgo.ErrUnknownOutcome, 504, ""},
		{fmt.Errorf("%w: %w", imdgo.ErrUnknownOutcome, context.DeadlineExceeded), 504, ""},
		{fmt.Errorf("%w: %w", imdgo.ErrUnknownOutcome, imdgo.ErrClosed), 504, ""},
		{context.DeadlineExceeded, 504, ""},
		{imdgo.ErrTooLarge, 413, ""},
		{fmt.Errorf("%w: %w", errRequest, new(http.MaxBytesError)), 413, ""},
		{imdgo.ErrNotFound, 404, ""},
		{errNoProduct, 404, ""},
		{errPrice, 422, ""},
		{errRequest, 400, ""},
		{errors.New("anything else"), 500, ""},
	} {
		w := httptest.NewRecorder()
		fail(w, fmt.Errorf("doing something: %w", test.err))
		if w.Code != test.status || w.Header().Get("Retry-After") != test.retryAfter {
			t.Errorf("%v is answered with %d, Retry-After %q; want %d, %q", test.err, w.Code, w.Header().Get("Retry-After"), test.status, test.retryAfter)
		}
	}
}
