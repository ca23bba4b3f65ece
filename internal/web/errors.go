package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// Values of headers that many answers share. They are never written to.
var (
	contentJSON  = []string{"application/json"}
	noStore      = []string{"no-store"}
	noCache      = []string{"no-cache"}
	basicRequest = []string{`Basic realm="symbolon"`}
)

// NoStore keeps an answer out of every cache. RFC 6749 §5.1 demands both
// headers on what holds a token, the older one too.
func NoStore(h http.Header) {
	h["Cache-Control"] = noStore
	h["Pragma"] = noCache
}

// WriteError writes an OAuth error as RFC 6749 §5.2 wants it: JSON, not to be
// stored, the status by the code.
func WriteError(x *Exchange, r *http.Request, e *symbolon.Error) {
	// RFC 6749 §5.2: the challenge answers a client that used the header; to
	// others it would only make browsers ask for a password.
	if e.Code == symbolon.InvalidClient && len(r.Header["Authorization"]) > 0 {
		x.Header()["Www-Authenticate"] = basicRequest
	}
	WriteErrorStatus(x, e.Code.TokenStatus(), e)
}

// WriteErrorStatus is WriteError where the protocol demands a status of its own.
func WriteErrorStatus(x *Exchange, status int, e *symbolon.Error) {
	h := x.Header()
	NoStore(h)
	h["Content-Type"] = contentJSON
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		h["Retry-After"] = []string{RetryAfter(e)}
	}
	body, err := json.Marshal(symbolon.ErrorAnswer{Error: e.Code.Wire(), ErrorDescription: e.Description})
	if err != nil {
		body = []byte(`{"error":"server_error"}`) // two strings always marshal
	}
	x.WriteHeader(status)
	x.Write(body)
}

// RetryAfter is the value of the header of that name: RetrySeconds.
func RetryAfter(e *symbolon.Error) string { return strconv.FormatInt(RetrySeconds(e), 10) }

// RetrySeconds is when to try again after the error: whole seconds, at least one
// (RFC 9110 §10.2.3).
func RetrySeconds(e *symbolon.Error) int64 {
	return max(1, int64((e.RetryAfter+time.Second-1)/time.Second))
}

var errMethod = symbolon.NewError(symbolon.MethodNotAllowed, "this endpoint does not take that method; the Allow header names those that it takes")

// CheckMethod refuses every method but those named with 405 and Allow
// (RFC 9110 §15.5.6). GET brings HEAD along.
func CheckMethod(w http.ResponseWriter, r *http.Request, methods ...string) error {
	if slices.Contains(methods, r.Method) || r.Method == http.MethodHead && slices.Contains(methods, http.MethodGet) {
		return nil
	}
	allow := strings.Join(methods, ", ")
	if slices.Contains(methods, http.MethodGet) {
		allow += ", " + http.MethodHead
	}
	w.Header()["Allow"] = []string{allow}
	return errMethod
}
