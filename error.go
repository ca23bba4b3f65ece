package symbolon

import (
	"errors"
	"net/http"
	"time"
)

// Code is an OAuth error code as it stands on the wire.
type Code string

// The codes in the order of the texts that define them. Which status each has
// is written once, in statuses.
const (
	InvalidRequest         Code = "invalid_request"           // RFC 6749 §5.2, RFC 6750 §3.1
	InvalidClient          Code = "invalid_client"            // RFC 6749 §5.2
	InvalidGrant           Code = "invalid_grant"             // RFC 6749 §5.2
	UnauthorizedClient     Code = "unauthorized_client"       // RFC 6749 §5.2
	UnsupportedGrantType   Code = "unsupported_grant_type"    // RFC 6749 §5.2
	InvalidScope           Code = "invalid_scope"             // RFC 6749 §5.2
	UnsupportedResponse    Code = "unsupported_response_type" // RFC 6749 §4.1.2.1
	ServerError            Code = "server_error"              // RFC 6749 §4.1.2.1
	TemporarilyUnavailable Code = "temporarily_unavailable"   // RFC 6749 §4.1.2.1
	InvalidToken           Code = "invalid_token"             // RFC 6750 §3.1
	InsufficientScope      Code = "insufficient_scope"        // RFC 6750 §3.1
	InvalidTarget          Code = "invalid_target"            // RFC 8707 §2
	InvalidDPoPProof       Code = "invalid_dpop_proof"        // RFC 9449 §5
	UseDPoPNonce           Code = "use_dpop_nonce"            // RFC 9449 §8

	// Those below are not registered: an answer has the registered name that Wire
	// gives, and clients act on its status.
	NotFound         Code = "not_found"
	MethodNotAllowed Code = "method_not_allowed"
	TooLarge         Code = "request_too_large"
	TooManyRequests  Code = "too_many_requests"
	Misdirected      Code = "misdirected_request"
)

// statuses is the one place where a code gets its HTTP status: at the token
// endpoint (and the other endpoints of a server), and at a protected resource.
var statuses = map[Code]struct{ token, resource int }{
	InvalidRequest:         {http.StatusBadRequest, http.StatusBadRequest},
	InvalidClient:          {http.StatusUnauthorized, http.StatusUnauthorized},
	InvalidGrant:           {http.StatusBadRequest, http.StatusBadRequest},
	UnauthorizedClient:     {http.StatusBadRequest, http.StatusForbidden},
	UnsupportedGrantType:   {http.StatusBadRequest, http.StatusBadRequest},
	InvalidScope:           {http.StatusBadRequest, http.StatusBadRequest},
	UnsupportedResponse:    {http.StatusBadRequest, http.StatusBadRequest},
	ServerError:            {http.StatusInternalServerError, http.StatusInternalServerError},
	TemporarilyUnavailable: {http.StatusServiceUnavailable, http.StatusServiceUnavailable},
	InvalidToken:           {http.StatusUnauthorized, http.StatusUnauthorized},
	InsufficientScope:      {http.StatusForbidden, http.StatusForbidden},
	InvalidTarget:          {http.StatusBadRequest, http.StatusBadRequest},
	InvalidDPoPProof:       {http.StatusBadRequest, http.StatusUnauthorized},
	UseDPoPNonce:           {http.StatusBadRequest, http.StatusUnauthorized},
	NotFound:               {http.StatusNotFound, http.StatusNotFound},
	MethodNotAllowed:       {http.StatusMethodNotAllowed, http.StatusMethodNotAllowed},
	TooLarge:               {http.StatusRequestEntityTooLarge, http.StatusRequestEntityTooLarge},
	TooManyRequests:        {http.StatusTooManyRequests, http.StatusTooManyRequests},
	Misdirected:            {http.StatusMisdirectedRequest, http.StatusMisdirectedRequest},
}

// TokenStatus is the HTTP status of the code at the endpoints of a server.
// A code that the product does not know is a server error.
func (c Code) TokenStatus() int {
	if s, ok := statuses[c]; ok {
		return s.token
	}
	return http.StatusInternalServerError
}

// ResourceStatus is the HTTP status of the code at a protected resource.
func (c Code) ResourceStatus() int {
	if s, ok := statuses[c]; ok {
		return s.resource
	}
	return http.StatusInternalServerError
}

// wireNames are codes of ours that leave under a registered name, because
// clients know that one; they tell the cases apart by the status.
var wireNames = map[Code]Code{
	NotFound:         InvalidRequest,
	MethodNotAllowed: InvalidRequest,
	TooLarge:         InvalidRequest,
	TooManyRequests:  TemporarilyUnavailable,
	Misdirected:      InvalidRequest,
}

// Wire is the code as it is written into an answer.
func (c Code) Wire() Code {
	if w, ok := wireNames[c]; ok {
		return w
	}
	return c
}

// Error is an OAuth error with a public and a private half. Code and
// Description go over the wire: Description is a fixed sentence in the
// character set of RFC 6749 §5.2 that names the parameter or rule and the way
// out, and never repeats a value of the request. The cause stays in the
// process: it is for the record and the log.
//
// The server returns it, package client gives back the one that it read, and
// package resource turns it into a challenge. Two errors are the same to
// errors.Is when their codes are equal.
type Error struct {
	Code        Code
	Description string
	RequestID   string        // the server's Request-Id, when known
	RetryAfter  time.Duration // how long to wait; zero: the answer names no time
	Status      int           // the HTTP status that a client read; zero on a server
	cause       error
}

// NewError makes an error of the given code with its public description.
func NewError(code Code, description string) *Error {
	return &Error{Code: code, Description: description}
}

// WithCause returns a copy that carries the private cause.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error tells the public half only, so that it may be printed anywhere.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Description != "" {
		s += ": " + e.Description
	}
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	return s
}

// Cause is the private half; nil when there is none.
func (e *Error) Cause() error { return e.cause }

// Unwrap lets errors.Is and errors.As look at the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is an Error of the same code.
func (e *Error) Is(target error) bool {
	var t *Error
	return errors.As(target, &t) && t.Code == e.Code
}

// ConfigError is a field of client.Config or resource.Config that cannot be
// used. New of either package returns it wrapped, so that a program whose users
// know the setting by another name can tell them that one.
type ConfigError struct {
	Field string // as "Issuer"; an element of a list as "Scopes[1]"
	Err   error  // what is wrong, and what to put there
}

// Error names the field.
func (e *ConfigError) Error() string { return "Config." + e.Field + ": " + e.Err.Error() }

// Unwrap gives what is wrong.
func (e *ConfigError) Unwrap() error { return e.Err }

// AsError gives the Error inside err. Anything untyped is a server error whose
// cause is err: what went wrong inside is nobody's business outside.
func AsError(err error) *Error {
	if e, ok := err.(*Error); ok {
		return e // the usual case: errors.As allocates
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return NewError(ServerError, "the server met an unexpected condition; the request id leads its operator to the cause").WithCause(err)
}
