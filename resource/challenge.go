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
	errNoToken    = symbolon.NewError(symbolon.InvalidToken, "no access token: send one in the Authorization header")
	errInQuery    = symbolon.NewError(symbolon.InvalidRequest, "access tokens in the query are refused: send the Authorization header instead")
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
	errRevoked    = symbolon.NewError(symbolon.InvalidToken, "the access token was revoked: ask for a new one")
	errNoGen      = symbolon.NewError(symbolon.InvalidToken, "the access token lacks gen or cred, so that nobody can tell whether it was revoked: ask for a new one")
	errClaims     = symbolon.NewError(symbolon.InvalidToken, "the access token lacks a claim that RFC 9068 requires")
	errBound      = symbolon.NewError(symbolon.InvalidToken, "the access token is bound to a key in a way that this API cannot check: ask for one with a DPoP proof or a client certificate")
	errUnbound    = symbolon.NewError(symbolon.InvalidToken, "this API takes only access tokens that are bound to a key: ask for one with a DPoP proof or a client certificate")
	errDowngrade  = symbolon.NewError(symbolon.InvalidToken, "the access token is bound to a DPoP key: send it with the scheme DPoP and a proof")
	errNotDPoP    = symbolon.NewError(symbolon.InvalidToken, "the access token is not bound to a DPoP key: send it with the scheme Bearer")
	errOtherKey   = symbolon.NewError(symbolon.InvalidToken, "the access token is bound to another key than that of the DPoP proof: make the proof with the key that the token was asked for with")

	errNoCertificate    = symbolon.NewError(symbolon.InvalidToken, "the access token is bound to a client certificate: connect with it")
	errOtherCertificate = symbolon.NewError(symbolon.InvalidToken, "the access token is bound to another client certificate than that of the connection: connect with the one that the token was asked for with")

	errTarget   = symbolon.NewError(symbolon.InvalidDPoPProof, "the path of the request cannot be compared with the htu of a DPoP proof: percent-encode it")
	errNonce    = symbolon.NewError(symbolon.UseDPoPNonce, "the DPoP proof needs the nonce of the DPoP-Nonce header of this answer: make a new one with it and send the request again")
	errReplayed = symbolon.NewError(symbolon.InvalidDPoPProof, "the DPoP proof was used before: make a new one for each request")
	errTooMany  = symbolon.NewError(symbolon.TooManyRequests, "too many DPoP proofs of this client in the last minute: send fewer requests")
	errNoReplay = symbolon.NewError(symbolon.TemporarilyUnavailable, "DPoP proofs cannot be checked for reuse at the moment: try again later")

	errScope  = symbolon.NewError(symbolon.InsufficientScope, "the access token lacks a scope that this request needs")
	errNoSet  = symbolon.NewError(symbolon.TemporarilyUnavailable, "it cannot be told at the moment which access tokens were revoked: try again later")
	errNoKeys = symbolon.NewError(symbolon.TemporarilyUnavailable, "access tokens cannot be checked at the moment: try again later")
)

// refusal is a refused request with what its challenge says.
type refusal struct {
	err    *symbolon.Error
	scopes []string // what the request needs
	scheme string   // with which the token came; empty: none, or several
	bare   bool     // the request carried nothing to judge: no code (RFC 6750 §3.1)
	got    string   // in place of one access token, for an explanation
}

// Error implements error.
func (r *refusal) Error() string { return r.err.Error() }

// Unwrap gives the *symbolon.Error.
func (r *refusal) Unwrap() error { return r.err }

// WriteError answers a request that Check refused: the status of the error's
// code, a challenge for each scheme that the API takes (RFC 6750 §3, RFC 9449
// §7.1), the nonce for the next proof where there are any, and a body in JSON.
// Errors that are not from Check are answered as server errors, without their
// text.
func (a *API) WriteError(w http.ResponseWriter, err error) {
	var r *refusal
	if !errors.As(err, &r) {
		r = &refusal{err: symbolon.AsError(err)}
	}
	status := r.err.Code.ResourceStatus()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if status < http.StatusInternalServerError && r.err.RetryAfter == 0 {
		h["Www-Authenticate"] = a.challengesOf(r)
		if nonce := a.DPoPNonce(); nonce != "" {
			h[symbolon.HeaderDPoPNonce] = []string{nonce}
		}
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

// challengesOf writes the values of WWW-Authenticate, one for each scheme that
// is taken here. RFC 9449 §7.2: what went wrong stands in that of the scheme
// that was used, in all where that is unclear or not among them.
func (a *API) challengesOf(r *refusal) []string {
	known := false
	for _, c := range a.challenges {
		known = known || c.scheme == r.scheme
	}
	values := make([]string, len(a.challenges))
	for i, c := range a.challenges {
		values[i] = a.challengeOf(c, r, !r.bare && (!known || c.scheme == r.scheme))
	}
	return values
}

func (a *API) challengeOf(c challenge, r *refusal, told bool) string {
	var b strings.Builder
	b.WriteString(c.begin)
	if told {
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

// challenge is what every challenge of a scheme begins with.
type challenge struct{ scheme, begin string }

// challengesFor gives those of the schemes that a configuration takes.
func (cfg *Config) challengesFor(p *possession) []challenge {
	bearer := challenge{symbolon.TokenTypeBearer, symbolon.TokenTypeBearer + ` realm="` + cfg.Realm + `"`}
	if !cfg.takesDPoP(p) {
		return []challenge{bearer}
	}
	bound := challenge{symbolon.TokenTypeDPoP, symbolon.TokenTypeDPoP + ` realm="` + cfg.Realm + `", algs="` + p.algs + `"`}
	if cfg.Bound == BoundDPoP {
		return []challenge{bound}
	}
	return []challenge{bearer, bound}
}
