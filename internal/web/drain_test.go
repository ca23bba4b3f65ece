package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

// TestARefusalOverHTTP2ComesAfterTheBody: else net/http ends the stream before the
// body is there, which makes curl throw the answer away. RFC 9113 §8.1.
func TestARefusalOverHTTP2ComesAfterTheBody(t *testing.T) {
	for name, c := range map[string]struct {
		major, length int
		limit         int64
		left          int // octets that were not read when the answer went out
	}{
		"HTTP/2":                        {2, 100, 0, 0},
		"HTTP/2, any length is taken":   {2, 100, -1, 0},
		"HTTP/2, as long as it may be":  {2, symbolon.MaxBody, 0, 0},
		"HTTP/2, more than the handler": {2, symbolon.MaxBody + 1, 0, symbolon.MaxBody + 1},
		"HTTP/1.1, which net/http ends": {1, 100, 0, 100},
	} {
		body, left := strings.NewReader(strings.Repeat("x", c.length)), -1
		h := Wrap(Config{MaxBody: c.limit, WriteError: func(x *Exchange, _ *http.Request, e *symbolon.Error) {
			left = body.Len()
			x.WriteHeader(http.StatusBadRequest)
		}}, func(http.ResponseWriter, *http.Request) error {
			return symbolon.NewError(symbolon.InvalidRequest, "no")
		})
		r := httptest.NewRequest(http.MethodPost, "/", io.NopCloser(body))
		r.ProtoMajor, r.ProtoMinor, r.ContentLength = c.major, 1, int64(c.length)
		h.ServeHTTP(httptest.NewRecorder(), r)
		if left != c.left {
			t.Errorf("%s: %d octets were not read, want %d", name, left, c.left)
		}
	}
}
