package symbolon_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// TestStatusOfCode is the table of RFC 6749 §5.2 and RFC 6750 §3.1.
func TestStatusOfCode(t *testing.T) {
	for _, c := range []struct {
		code            symbolon.Code
		token, resource int
	}{
		{symbolon.InvalidRequest, 400, 400},
		{symbolon.InvalidClient, 401, 401},
		{symbolon.InvalidGrant, 400, 400},
		{symbolon.UnauthorizedClient, 400, 403},
		{symbolon.UnsupportedGrantType, 400, 400},
		{symbolon.InvalidScope, 400, 400},
		{symbolon.UnsupportedResponse, 400, 400},
		{symbolon.ServerError, 500, 500},
		{symbolon.TemporarilyUnavailable, 503, 503},
		{symbolon.InvalidToken, 401, 401},
		{symbolon.InsufficientScope, 403, 403},
		{symbolon.InvalidTarget, 400, 400},
		{symbolon.InvalidDPoPProof, 400, 401},
		{symbolon.UseDPoPNonce, 400, 401},
		{symbolon.NotFound, 404, 404},
		{symbolon.MethodNotAllowed, 405, 405},
		{symbolon.TooLarge, 413, 413},
		{symbolon.TooManyRequests, 429, 429},
		{symbolon.Misdirected, 421, 421},
		{"made_up", 500, 500},
	} {
		if c.code.TokenStatus() != c.token || c.code.ResourceStatus() != c.resource {
			t.Errorf("%s: %d and %d, want %d and %d", c.code, c.code.TokenStatus(), c.code.ResourceStatus(), c.token, c.resource)
		}
	}
}

// TestWireNames: only registered names leave.
func TestWireNames(t *testing.T) {
	for code, want := range map[symbolon.Code]symbolon.Code{
		symbolon.NotFound: symbolon.InvalidRequest, symbolon.MethodNotAllowed: symbolon.InvalidRequest,
		symbolon.TooLarge: symbolon.InvalidRequest, symbolon.Misdirected: symbolon.InvalidRequest,
		symbolon.TooManyRequests: symbolon.TemporarilyUnavailable, symbolon.InvalidClient: symbolon.InvalidClient,
	} {
		if code.Wire() != want {
			t.Errorf("%s leaves as %s", code, code.Wire())
		}
	}
}

// TestErrorKeepsItsCausePrivate: the cause is for errors.Is and the log, never
// in the text.
func TestErrorKeepsItsCausePrivate(t *testing.T) {
	e := symbolon.NewError(symbolon.InvalidClient, "client authentication failed").WithCause(fmt.Errorf("secret s1 is wrong: %w", io.EOF))
	e.RequestID = "r1"
	if got := e.Error(); got != "invalid_client: client authentication failed (request r1)" {
		t.Error(got)
	}
	if strings.Contains(fmt.Sprintf("%v %s", e, e), "s1") {
		t.Error("the cause is in the text")
	}
	if !errors.Is(e, io.EOF) || e.Cause() == nil {
		t.Error("the cause is lost")
	}
}

func TestErrorIsByCode(t *testing.T) {
	wrapped := fmt.Errorf("asking: %w", symbolon.NewError(symbolon.InvalidScope, "x"))
	if !errors.Is(wrapped, symbolon.NewError(symbolon.InvalidScope, "other words")) {
		t.Error("same code is not the same error")
	}
	if errors.Is(wrapped, symbolon.NewError(symbolon.InvalidTarget, "x")) || errors.Is(wrapped, io.EOF) {
		t.Error("another code is the same error")
	}
}

// TestWithCauseCopies: a package's fixed error is never changed by giving it a
// cause.
func TestWithCauseCopies(t *testing.T) {
	fixed := symbolon.NewError(symbolon.InvalidToken, "x")
	with := fixed.WithCause(io.EOF)
	if fixed.Cause() != nil || with == fixed || with.Code != fixed.Code {
		t.Error("WithCause changed its receiver")
	}
}

// TestAsErrorHidesWhatIsUntyped: an error that nobody gave a code is a server
// error, and its text stays inside.
func TestAsErrorHidesWhatIsUntyped(t *testing.T) {
	e := symbolon.AsError(errors.New("open /var/lib/x: permission denied"))
	if e.Code != symbolon.ServerError || e.Code.TokenStatus() != http.StatusInternalServerError || strings.Contains(e.Error(), "/var") {
		t.Error(e)
	}
	if e.Cause() == nil {
		t.Error("the cause is lost")
	}
	typed := symbolon.NewError(symbolon.InvalidScope, "x")
	typed.RetryAfter = time.Second
	if symbolon.AsError(fmt.Errorf("y: %w", typed)) != typed {
		t.Error("a typed error was replaced")
	}
}

// TestDescriptionCharacterSet: RFC 6749 §5.2 allows %x20-21 / %x23-5B /
// %x5D-7E in error_description.
func TestDescriptionCharacterSet(t *testing.T) {
	allowed := regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]*$`)
	if d := symbolon.AsError(io.EOF).Description; !allowed.MatchString(d) {
		t.Errorf("%q", d)
	}
}

// TestConfigErrorNamesTheField: also through the words that were put around it.
func TestConfigErrorNamesTheField(t *testing.T) {
	err := fmt.Errorf("client: %w", &symbolon.ConfigError{Field: "Scopes[1]", Err: io.EOF})
	var wrong *symbolon.ConfigError
	if !errors.As(err, &wrong) || wrong.Field != "Scopes[1]" || !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if err.Error() != "client: Config.Scopes[1]: EOF" {
		t.Error(err)
	}
}
