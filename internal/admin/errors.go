package admin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// Code says of which sort an Error is. A protocol in front of this package has
// one status for each.
type Code string

// The sorts of errors.
const (
	Invalid     Code = "invalid"     // the request is wrong in itself
	NotFound    Code = "not_found"   // there is no such object
	Exists      Code = "exists"      // the id is taken
	Conflict    Code = "conflict"    // changed since the version that the caller saw
	Refused     Code = "refused"     // the state of things does not allow it; Fix says what would
	Forbidden   Code = "forbidden"   // the actor lacks the permission
	TooMany     Code = "too_many"    // a bound is reached; it takes more later
	Unavailable Code = "unavailable" // the store is away or full
)

// What an error with the code Forbidden may wrap: which sort of thing the actor
// must leave alone, where it has the permission for the operation as such.
var (
	ErrOthers     = errors.New("objects of other issuers than the actor's would change")
	ErrPower      = errors.New("access to administration would be given")
	ErrPrivileged = errors.New("the client may administer the server")
)

// Error is why an operation did not happen, with the way out in words. Neither
// holds a secret.
type Error struct {
	Code    Code
	Message string
	Fix     string
	cause   error
}

// Error is one line: what happened; what to do.
func (e *Error) Error() string {
	if e.Fix == "" {
		return e.Message
	}
	return e.Message + "; " + e.Fix
}

// Unwrap gives the cause, for logs.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf is the sort of err: Invalid for registry.Problems, "" for what this
// package does not expect.
func CodeOf(err error) Code {
	var e *Error
	var p registry.Problems
	switch {
	case errors.As(err, &e):
		return e.Code
	case errors.As(err, &p):
		return Invalid
	}
	return ""
}

func notFound(kind, id string) error {
	return &Error{Code: NotFound, Message: fmt.Sprintf("there is no %s %q", word(kind), id),
		Fix: fmt.Sprintf("`symbolon %s list` shows what there is", verb(kind))}
}

func exists(kind, id string) error {
	return &Error{Code: Exists, Message: fmt.Sprintf("there is a %s %q already", word(kind), id),
		Fix: fmt.Sprintf("choose another id, or change it with `symbolon %s update %s`", verb(kind), id)}
}

func refused(fix, format string, args ...any) error {
	return &Error{Code: Refused, Message: fmt.Sprintf(format, args...), Fix: fix}
}

func invalid(fix, format string, args ...any) error {
	return &Error{Code: Invalid, Message: fmt.Sprintf(format, args...), Fix: fix}
}

// word is a kind as people read it.
func word(kind string) string {
	switch kind {
	case registry.KindAPI:
		return "API"
	case registry.KindOperatorToken:
		return "operator token"
	}
	return kind
}

// verb is the command for objects of a kind.
func verb(kind string) string { return strings.ReplaceAll(kind, "_", "-") }

// fromStore gives the store's errors their sort and their words.
func fromStore(err error) error {
	switch {
	case err == nil, CodeOf(err) != "":
		return err
	case errors.Is(err, store.ErrFull):
		return &Error{Code: Unavailable, Message: "the disk of the store is full; nothing was changed",
			Fix: "free space and repeat", cause: err}
	case errors.Is(err, store.ErrUnavailable):
		return &Error{Code: Unavailable, Message: "the store cannot be reached",
			Fix: "look whether the change is there before you repeat it", cause: err}
	case errors.Is(err, store.ErrConflict):
		return &Error{Code: Conflict, Message: "somebody else changed it meanwhile",
			Fix: "look at it again and repeat", cause: err}
	case errors.Is(err, registry.ErrNewer):
		return &Error{Code: Refused, Message: "the object was written by a newer version of symbolon",
			Fix: "upgrade this node, or make the change on one that is upgraded", cause: err}
	}
	return err
}
