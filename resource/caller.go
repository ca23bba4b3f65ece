package resource

import (
	"context"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
)

// Caller is who makes a request, as its verified access token says. It may be
// shared with other requests: read it, never write to it.
type Caller struct {
	Issuer   string    // whose client it is (iss)
	ClientID string    // the client (client_id)
	Subject  string    // whom it acts for (sub): with client credentials the client itself
	Scopes   []string  // what it may do here
	TokenID  string    // the token's id (jti), for your own records
	KeyID    string    // the issuer's key that signed it (kid), for your own records; "" where the issuer was asked about the token
	Expiry   time.Time // when the token stops to be valid

	Claims *symbolon.Claims // all claims, Claims.Extra those of the client, rules and API

	token *verified // what Stands asks about
}

// HasScope reports whether the caller has the scope.
func (c *Caller) HasScope(scope string) bool { return slices.Contains(c.Scopes, scope) }

type callerKey struct{}

// Lookup gives the caller of a request that came through Require.
func Lookup(ctx context.Context) (*Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(*Caller)
	return c, ok
}

// CallerFrom gives the caller of a request that came through Require. It
// panics on any other: a handler that believes to be protected and is not must
// not go on. Handlers that serve both use Lookup.
func CallerFrom(ctx context.Context) *Caller {
	c, ok := Lookup(ctx)
	if !ok {
		panic("resource: CallerFrom was called for a request that did not come through Require: wrap the handler, as api.Require(\"orders:read\")(handler), and pass on the request's context")
	}
	return c
}

func withCaller(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}
