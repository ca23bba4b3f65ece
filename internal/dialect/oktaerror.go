package dialect

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// oktaError is an error of Okta's management API. @okta/okta-sdk-nodejs reads
// errorCode, errorSummary and, as an array, errorCauses. No text of it repeats a
// value of the request.
type oktaError struct {
	Code    string      `json:"errorCode"`
	Summary string      `json:"errorSummary"`
	Link    string      `json:"errorLink"` // Okta's is the code again
	ID      string      `json:"errorId"`   // here the request's
	Causes  []oktaCause `json:"errorCauses"`

	status int
	cause  error // for the record
}

type oktaCause struct {
	Summary string `json:"errorSummary"`
}

// Error is the whole truth, for records and logs.
func (e *oktaError) Error() string {
	text := e.Code + ": " + e.Summary
	for _, c := range e.Causes {
		text += "; " + c.Summary
	}
	cause := e.cause
	if inner := new(symbolon.Error); errors.As(cause, &inner) && inner.Cause() != nil {
		cause = inner.Cause() // it tells its public half by itself
	}
	if cause != nil {
		text += ": " + cause.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *oktaError) Unwrap() error { return e.cause }

// The errors that calls are refused with, in the order of Okta's list.
var (
	oktaNotJSON     = oktaError{status: http.StatusBadRequest, Code: "E0000003", Summary: "The request body was not well-formed."}
	oktaNobody      = oktaError{status: http.StatusUnauthorized, Code: "E0000004", Summary: "Authentication failed"}
	oktaForbidden   = oktaError{status: http.StatusForbidden, Code: "E0000006", Summary: "You do not have permission to perform the requested action"}
	oktaNoApp       = oktaError{status: http.StatusNotFound, Code: "E0000007", Summary: "Not found: Resource not found: the application (AppInstance)"}
	oktaNoPath      = oktaError{status: http.StatusNotFound, Code: "E0000008", Summary: "The requested path was not found"}
	oktaInternal    = oktaError{status: http.StatusInternalServerError, Code: "E0000009", Summary: "Internal Server Error"}
	oktaToken       = oktaError{status: http.StatusUnauthorized, Code: "E0000011", Summary: "Invalid token provided"}
	oktaMedia       = oktaError{status: http.StatusUnsupportedMediaType, Code: "E0000021", Summary: "Bad request. Accept and/or Content-Type headers likely do not match supported values."}
	oktaMethod      = oktaError{status: http.StatusMethodNotAllowed, Code: "E0000022", Summary: "The endpoint does not support the provided HTTP method"}
	oktaSearch      = oktaError{status: http.StatusBadRequest, Code: "E0000031", Summary: "Invalid search criteria."}
	oktaCalls       = oktaError{status: http.StatusTooManyRequests, Code: "E0000047", Summary: "API call exceeded rate limit due to too many requests."}
	oktaStillActive = oktaError{status: http.StatusForbidden, Code: "E0000056", Summary: "Delete application forbidden."}
)

// invalidIn is a request with a wrong member or parameter: its name, and pairs of
// a name and what is wrong there.
func invalidIn(what string, causes ...oktaCause) *oktaError {
	return &oktaError{status: http.StatusBadRequest, Code: "E0000001", Summary: "Api validation failed: " + what, Causes: causes}
}

// oktaCodes is the one place where a code of OAuth's becomes one of Okta's.
var oktaCodes = map[symbolon.Code]oktaError{
	symbolon.InvalidRequest:         {status: http.StatusBadRequest, Code: "E0000002", Summary: "The request was not valid"},
	symbolon.InvalidToken:           oktaToken,
	symbolon.InvalidDPoPProof:       oktaToken,
	symbolon.UseDPoPNonce:           oktaToken,
	symbolon.InsufficientScope:      oktaForbidden,
	symbolon.NotFound:               oktaNoPath,
	symbolon.MethodNotAllowed:       oktaMethod,
	symbolon.TooLarge:               {status: http.StatusRequestEntityTooLarge, Code: oktaNotJSON.Code, Summary: oktaNotJSON.Summary},
	symbolon.TooManyRequests:        oktaCalls,
	symbolon.TemporarilyUnavailable: {status: http.StatusServiceUnavailable, Code: oktaInternal.Code, Summary: oktaInternal.Summary},
}

// refuse makes an error of this API one that servers log by its sort: what it is
// outside, writeOktaError finds in its cause.
func (e oktaError) refuse(cause error) *symbolon.Error {
	if e.cause == nil {
		e.cause = cause
	}
	return symbolon.NewError(codeOf(e.status), e.Summary).WithCause(&e)
}

// writeOktaError writes an error in Okta's shape.
func writeOktaError(x *web.Exchange, r *http.Request, e *symbolon.Error) {
	answer := oktaErrorOf(e)
	answer.Link, answer.ID = answer.Code, x.RequestID
	if answer.Causes == nil {
		answer.Causes = []oktaCause{}
	}
	h := x.Header()
	web.NoStore(h)
	h["Content-Type"] = []string{contentJSON}
	switch answer.status {
	case http.StatusUnauthorized:
		h["Www-Authenticate"] = []string{challengeOf("okta", r, e)}
	case http.StatusTooManyRequests:
		// @okta/okta-sdk-nodejs and github.com/okta/okta-sdk-golang wait until
		// X-Rate-Limit-Reset, by the Date of the answer.
		h["X-Rate-Limit-Limit"] = []string{strconv.Itoa(atOnce(r))}
		h["X-Rate-Limit-Remaining"] = []string{"0"}
		h["X-Rate-Limit-Reset"] = []string{strconv.FormatInt(x.Began.Add(time.Duration(web.RetrySeconds(e))*time.Second).Unix()+1, 10)}
		h["Retry-After"] = []string{web.RetryAfter(e)}
	case http.StatusServiceUnavailable:
		h["Retry-After"] = []string{web.RetryAfter(e)}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		body = []byte(`{"errorCode":"E0000009","errorCauses":[]}`) // texts always marshal
	}
	x.WriteHeader(answer.status)
	x.Write(body)
}

func oktaErrorOf(e *symbolon.Error) oktaError {
	var own *oktaError
	if errors.As(e.Cause(), &own) {
		return *own
	}
	if known, ok := oktaCodes[e.Code]; ok {
		return known
	}
	return oktaInternal
}

// oktaRefusal turns what ends a call into an error of this API. The object of a
// call is an application wherever there is one.
func oktaRefusal(err error) error {
	switch err {
	case errNoCaller:
		return oktaNobody.refuse(err)
	case errNotJSON:
		return oktaMedia.refuse(err)
	}
	var own *oktaError
	if errors.As(err, &own) {
		return own.refuse(nil)
	}
	switch admin.CodeOf(err) {
	case "":
		return err
	case admin.NotFound:
		return oktaNoApp.refuse(err)
	case admin.Forbidden:
		return oktaForbidden.refuse(err)
	case admin.TooMany:
		return symbolon.NewError(symbolon.TooManyRequests, oktaCalls.Summary).WithCause(err)
	case admin.Unavailable:
		return symbolon.NewError(symbolon.TemporarilyUnavailable, oktaInternal.Summary).WithCause(err)
	case admin.Conflict:
		return invalidIn("application", oktaCause{"application: it was changed meanwhile; read it again"}).refuse(err)
	}
	var problems registry.Problems
	if !errors.As(err, &problems) {
		return invalidIn("application", oktaCause{"application: this cannot be done in the state in which it is"}).refuse(err)
	}
	causes := make([]oktaCause, 0, len(problems))
	for _, p := range problems {
		name, told := oktaMember(p.Path)
		if !told {
			p.Message = "the application would not be valid"
		}
		causes = append(causes, oktaCause{name + ": " + p.Message})
	}
	name, _ := oktaMember(problems[0].Path)
	return invalidIn(name, causes...).refuse(err)
}

// oktaMember is the name of a client's member in an application. What is wrong
// with others is for the record alone: they are not of this API.
func oktaMember(path string) (name string, told bool) {
	first, _, _ := strings.Cut(path, ".")
	name, told = map[string]string{
		"name": "label", "auth": "credentials.oauthClient.token_endpoint_auth_method",
		"keys": "settings.oauthClient.jwks", "jwks_uri": "settings.oauthClient.jwks_uri",
	}[first]
	if !told {
		name = "application"
	}
	return name, told
}
