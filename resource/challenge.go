package resource

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// What a request can be refused with. The sentences are fixed, and tell the
// caller which way out there is.
var (
	errNoToken    = symbolon.NewError(symbolon.InvalidToken, "no access token: send the header Authorization: Bearer with one")
	errInQuery    = symbolon.NewError(symbolon.InvalidRequest, "access tokens in the query are refused: send the header Authorization: Bearer instead")
	errTwoTokens  = symbolon.NewError(symbolon.InvalidRequest, "more than one access token: send one Authorization header with one token")
	errEmptyToken = symbolon.NewError(symbolon.InvalidRequest, "the Authorization header holds no access token")
	errMalformed  = symbolon.NewError(symbolon.InvalidToken, "the access token is malformed")
	errType       = symbolon.NewError(symbolon.InvalidToken, "the token is not an access token: its typ is another")
	errIssuer     = symbolon.NewError(symbolon.InvalidToken, "the access token is from another issuer")
	errAudience   = symbolon.NewError(symbolon.InvalidToken, "the access token is for another API: ask for one with this API as resource")
	errKey        = symbolon.NewError(symbolon.InvalidToken, "the access token is signed with a key that its issuer does not publish")
	errSignature  = symbolon.NewError(symbolon.InvalidToken, "the signature of the access token is not valid")
	errExpired    = symbolon.NewError(symbolon.InvalidToken, "the access token expired: ask for a new one")
	errNotYet     = symbolon.NewError(symbolon.InvalidToken, "the access token is not valid yet: compare the clocks")
	errClaims     = symbolon.NewError(symbolon.InvalidToken, "the access token lacks a claim that RFC 9068 requires")
	errBound      = symbolon.NewError(symbolon.InvalidToken, "the access token is bound to a key, which this API does not take")
	errScope      = symbolon.NewError(symbolon.InsufficientScope, "the access token lacks a scope that this request needs")
	errNoKeys     = symbolon.NewError(symbolon.TemporarilyUnavailable, "access tokens cannot be checked at the moment: try again later")
)

// refusal is a refused request with what its challenge says.
type refusal struct {
	err    *symbolon.Error
	scopes []string // what the request needs
	bare   bool     // the request carried nothing to judge: no code (RFC 6750 §3.1)
}

// Error implements error.
func (r *refusal) Error() string { return r.err.Error() }

// Unwrap gives the *symbolon.Error.
func (r *refusal) Unwrap() error { return r.err }

// WriteError answers a request that Check refused: the status of the error's
// code, the challenge (RFC 6750 §3), and a body in JSON. Errors that are not
// from Check are answered as server errors, without their text.
func (a *API) WriteError(w http.ResponseWriter, err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{err: symbolon.AsError(err)}
	}
	status := r.err.Code.ResourceStatus()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if status < http.StatusInternalServerError {
		h.Set("WWW-Authenticate", a.challengeOf(r))
	}
	if r.err.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(seconds(r.err.RetryAfter), 10))
	}
	if r.bare {
		// RFC 6750 §3.1: no error information for a request that brought none.
		h.Set("Content-Length", "0")
		w.WriteHeader(status)
		return
	}
	body, _ := json.Marshal(symbolon.ErrorAnswer{Error: r.err.Code.Wire(), ErrorDescription: r.err.Description})
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// seconds rounds up: nobody is told to come too early.
func seconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// challengeOf writes the value of WWW-Authenticate.
func (a *API) challengeOf(r *refusal) string {
	var b strings.Builder
	b.WriteString(a.challenge)
	if !r.bare {
		b.WriteString(`, error="` + string(r.err.Code.Wire()) + `"`)
		if d := r.err.Description; d != "" && quotable(d) {
			b.WriteString(`, error_description="` + d + `"`)
		}
	}
	if scope := strings.Join(r.scopes, " "); scope != "" && quotable(scope) {
		b.WriteString(`, scope="` + scope + `"`)
	}
	b.WriteString(a.metadata)
	return b.String()
}
