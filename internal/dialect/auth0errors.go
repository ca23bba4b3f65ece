package dialect

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// auth0Problem is an error of the management API in Auth0's shape: node-auth0 2
// reads error and message, 4 and 7 statusCode and errorCode, too. A message is a
// fixed sentence, or one of package admin for its callers; none repeats a value of
// the request.
type auth0Problem struct {
	StatusCode int    `json:"statusCode"`
	Title      string `json:"error"`
	Message    string `json:"message"`
	ErrorCode  string `json:"errorCode,omitempty"`

	cause error
}

// Error is the message with its cause, for records and logs: Message alone goes out.
func (p *auth0Problem) Error() string {
	if p.cause == nil {
		return p.Message
	}
	return p.Message + " (" + p.cause.Error() + ")"
}

// Unwrap gives the cause.
func (p *auth0Problem) Unwrap() error { return p.cause }

// Codes of the management API, as Auth0 names them.
const (
	auth0InvalidBody  = "invalid_body"
	auth0InvalidQuery = "invalid_query_string"
	auth0NoScope      = "insufficient_scope"
	auth0NotSupported = "operation_not_supported"
	auth0TooMany      = "too_many_requests"
)

func newAuth0Problem(status int, code, message string) *auth0Problem {
	return &auth0Problem{StatusCode: status, Title: http.StatusText(status), Message: message, ErrorCode: code}
}

// because is the problem with its private cause.
func (p *auth0Problem) because(err error) *auth0Problem {
	out := *p
	out.cause = err
	return &out
}

// Refusals that do not depend on the request.
var (
	errAuth0NoClient = newAuth0Problem(http.StatusNotFound, "inexistent_client", "The client does not exist.")
	errAuth0NoAPI    = newAuth0Problem(http.StatusNotFound, "inexistent_resource_server", "The resource server does not exist.")
	errAuth0NoGrant  = newAuth0Problem(http.StatusNotFound, "inexistent_client_grant", "The client grant does not exist.")
	errAuth0NoPath   = newAuth0Problem(http.StatusNotFound, "", "Not Found")
	errAuth0Method   = newAuth0Problem(http.StatusMethodNotAllowed, "", "This path does not take that method; the Allow header names those that it takes.")
	errAuth0Type     = newAuth0Problem(http.StatusUnsupportedMediaType, "", "The Content-Type must be application/json.")
	errAuth0JSON     = newAuth0Problem(http.StatusBadRequest, auth0InvalidBody, "Invalid request payload JSON format: send one JSON object that names each member once.")
	errAuth0NoSecret = newAuth0Problem(http.StatusBadRequest, auth0NotSupported, "The client has no secret that could be rotated: it proves who it is in another way.")
	errAuth0Reach    = newAuth0Problem(http.StatusBadRequest, "invalid_paging", "You can only page through the first 1000 records: go on from a checkpoint, with from and take.")
	errAuth0SameAPI  = newAuth0Problem(http.StatusConflict, "resource_server_conflict", "A resource server with this identifier exists already.")
	errAuth0Granted  = newAuth0Problem(http.StatusConflict, "client_grant_conflict", "The client has a grant for this audience already: change that one with PATCH.")
	errAuth0System   = newAuth0Problem(http.StatusForbidden, auth0NotSupported, "This API is the server's own administration: it cannot be changed or deleted.")
	errAuth0May      = newAuth0Problem(http.StatusForbidden, auth0NotSupported, "Only an operator of this server can do this.")
)

// auth0Forbidden are refusals of what the caller's scopes would allow.
var auth0Forbidden = []struct {
	because error // of package admin
	problem *auth0Problem
}{
	// Nobody grants what they do not hold.
	{admin.ErrPower, newAuth0Problem(http.StatusForbidden, auth0NotSupported,
		"Access to this API is power over the server itself, which only an operator of it can give: on its host, `symbolon client grant`.")},
	{admin.ErrPrivileged, newAuth0Problem(http.StatusForbidden, auth0NotSupported,
		"This client has power over the server itself: here it can be deleted, and nothing else; only an operator of the server can change it, on its host with `symbolon client`.")},
	// As when an API goes to which a client of another issuer has access. Of whom and
	// what there is nothing is told.
	{admin.ErrOthers, newAuth0Problem(http.StatusForbidden, auth0NotSupported,
		"This would also change what is not of this tenant, so nothing was changed: only an operator of the whole server can do it, on its host with `symbolon`.")},
}

// auth0Codes is the one place where the sort of an error of package admin gets
// its status here.
var auth0Codes = map[admin.Code]struct {
	status int
	code   string
}{
	admin.Invalid:     {http.StatusBadRequest, auth0InvalidBody},
	admin.NotFound:    {http.StatusNotFound, "inexistent_resource"},
	admin.Exists:      {http.StatusConflict, "resource_conflict"},
	admin.Conflict:    {http.StatusConflict, "resource_conflict"},
	admin.Refused:     {http.StatusBadRequest, auth0NotSupported},
	admin.Forbidden:   {http.StatusForbidden, auth0NotSupported},
	admin.TooMany:     {http.StatusTooManyRequests, auth0TooMany},
	admin.Unavailable: {http.StatusServiceUnavailable, "service_unavailable"},
}

// auth0Members are the names that members of our objects have here, where they
// are others.
var auth0Members = map[string]string{"labels": "client_metadata", "access": "scope", "auth": "token_endpoint_auth_method", "": "body"}

// auth0Admin turns an error of package admin into one of this API; missing is what
// it is when there is no such object.
func auth0Admin(err error, missing *auth0Problem) error {
	code := admin.CodeOf(err)
	sort, known := auth0Codes[code]
	switch {
	case err == nil || !known:
		return err
	case code == admin.NotFound && missing != nil:
		return missing.because(err)
	case code == admin.Forbidden:
		for _, f := range auth0Forbidden {
			if errors.Is(err, f.because) {
				return f.problem.because(err)
			}
		}
		return errAuth0May.because(err)
	}
	message := err.Error()
	var found registry.Problems
	if errors.As(err, &found) {
		member, _, _ := strings.Cut(found[0].Path, ".") // what follows may be of the request
		message = fmt.Sprintf("Payload validation error: '%s; %s' on property %s.", found[0].Message, found[0].Fix, cmp.Or(auth0Members[member], member))
	}
	return newAuth0Problem(sort.status, sort.code, message).because(err)
}

// auth0Error writes an error of the management API, be it one of its own, one that
// the way to it found, or one of the authentication.
func auth0Error(x *web.Exchange, r *http.Request, e *symbolon.Error) {
	p := auth0ProblemOf(e)
	h := x.Header()
	web.NoStore(h)
	h.Set("Content-Type", contentJSON)
	switch p.StatusCode {
	case http.StatusUnauthorized:
		h.Set("Www-Authenticate", challengeOf("auth0", r, e))
	case http.StatusTooManyRequests:
		auth0Limits(x, r, e)
		fallthrough
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", web.RetryAfter(e))
	}
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{}`) // plain texts always marshal
	}
	x.WriteHeader(p.StatusCode)
	x.Write(body)
}

func auth0ProblemOf(e *symbolon.Error) *auth0Problem {
	var p *auth0Problem
	if errors.As(e, &p) {
		return p
	}
	status, code := e.Code.ResourceStatus(), ""
	switch e.Code {
	case symbolon.InsufficientScope:
		code = auth0NoScope
	case symbolon.InvalidToken, symbolon.InvalidDPoPProof, symbolon.UseDPoPNonce:
		code = string(e.Code)
	case symbolon.TooManyRequests:
		code = auth0TooMany
	case symbolon.TooLarge, symbolon.InvalidRequest:
		code = auth0InvalidBody
	}
	return newAuth0Problem(status, code, e.Description)
}

// outward makes it an error that web.Wrap logs by its sort: what it is to the
// outside, auth0Error finds in its cause.
func (p *auth0Problem) outward() error {
	return symbolon.NewError(codeOf(p.StatusCode), p.Message).WithCause(p)
}
