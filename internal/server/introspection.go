package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/registry"
)

// serveIntrospection is the introspection endpoint (RFC 7662 §2): an API asks
// whether a token that it was sent is good.
func (s *Server) serveIntrospection(at Place, w http.ResponseWriter, r *http.Request) error {
	return s.serve(at, w, r, endpoint{clause: "RFC 7662 §2.1", parse: (*request).wantToken, walk: (*Server).introspect})
}

// introspect is the walk. It reads no database: what is asked often must not be
// slower, or less there, than the tokens themselves.
func (s *Server) introspect(ctx context.Context, c *call) error {
	// RFC 7662 §2.1: nobody may try tokens here without saying who it is.
	if err := s.admit(ctx, c); err != nil {
		return err
	}
	// What was denied while the client was looked at counts.
	if err := c.move(s.cfg.Replica.Snapshot()); err != nil {
		return err
	}
	t, apis, why := s.inspect(c)
	var answer symbolon.IntrospectionAnswer
	if why == nil {
		answer = symbolon.IntrospectionAnswer{Active: true, TokenType: typeOf(t.claims), Claims: *t.claims}
	}
	// RFC 7662 §2.2, §4: of a token that is not active, for whatever reason, the
	// answer says nothing else.
	c.out = answer.AppendJSON(c.out[:0])
	if wantsSigned(c.request.Accept) {
		if err := s.signAnswer(c, apis); err != nil {
			return err
		}
	}
	return s.keep(c, audit.Answered)
}

// notes keeps why a token does not count, for operators.
func (c *call) notes(check string, why *fault) *fault {
	c.trace.Fail(check, why.clause, why.expected, why.got, why.fix)
	c.record.Reason = why.cause.Error()
	return why
}

var (
	errTokenDenied   = errors.New("the token, its client, its credential, its key or its issuer was denied")
	errTokenNotYours = errors.New("the token is for no API that the client serves")

	deniedToken = &fault{clauseToken, "a token that nothing denies", "denied", "symbolon deny list; the program gets a new token unless it is disabled", errTokenDenied}
)

// inspect makes all checks of RFC 7662 §4. What it gives of the token is what the
// client may know; apis are those of the token that the client serves.
func (s *Server) inspect(c *call) (t issuedToken, apis []*registry.API, why *fault) {
	if t, why = s.current(c); why != nil {
		return t, nil, why
	}
	if c.Issuer.Denied(t.facts()) {
		return t, nil, c.notes("denials", deniedToken)
	}
	apis, deniedAt := c.served(&t)
	switch {
	case len(apis) > 0:
	case deniedAt:
		return t, nil, c.notes("denials", deniedToken)
	default:
		return t, nil, c.notes("audience", &fault{"RFC 7662 §2.2", "a token for an API that client " + c.record.Client + " serves", "for others",
			"symbolon api update --resource-server, if the client is the API's", errTokenNotYours})
	}
	c.trace.OK("denials", clauseToken, deniedToken.expected, "none")
	t.cut(c.Issuer, apis)
	for _, api := range apis {
		c.record.APIs = append(c.record.APIs, api.ID)
	}
	c.trace.OK("audience", "RFC 7662 §2.2", "a token for an API that the client serves", strings.Join(c.record.APIs, " "))
	c.record.Scope = t.claims.Scope
	// Extra claims of the client's cannot say what the answer itself says.
	delete(t.claims.Extra, "active")
	delete(t.claims.Extra, "token_type")
	return t, apis, nil
}

// served are the APIs among the token's audience that the client serves, but for
// those at which the token is denied. Having got the token gives no right to it.
func (c *call) served(t *issuedToken) (apis []*registry.API, denied bool) {
	list := c.Issuer.Serves(c.record.Client)
	for _, aud := range t.claims.Audience {
		i := slices.IndexFunc(list, func(api *registry.API) bool { return api.Identifier == aud })
		switch {
		case i < 0:
		case c.Issuer.DeniedAt(t.facts(), aud):
			denied = true
		default:
			apis = append(apis, list[i])
		}
	}
	return apis, denied
}

// cut leaves of a token for several APIs the part of some: their identifiers and
// the scopes that are theirs. RFC 7662 §2.2: no more than they need to know.
func (t *issuedToken) cut(issuer *registry.IssuerView, apis []*registry.API) {
	if len(apis) == len(t.claims.Audience) {
		return
	}
	var others []*registry.API
	for _, aud := range t.claims.Audience {
		if api := issuer.Target(aud, true); api != nil && !slices.Contains(apis, api) {
			others = append(others, api)
		}
	}
	// A scope that one of the others has come to define since is not told to either.
	scopes := slices.DeleteFunc(t.claims.Scopes(), func(scope string) bool { return !anyDefines(apis, scope) || anyDefines(others, scope) })
	t.claims.Scope = strings.Join(scopes, " ")
	t.claims.Audience = make([]string, 0, len(apis))
	for _, api := range apis {
		t.claims.Audience = append(t.claims.Audience, api.Identifier)
	}
}

func anyDefines(apis []*registry.API, scope string) bool {
	return slices.ContainsFunc(apis, func(api *registry.API) bool {
		_, defined := api.Scopes[scope]
		return defined
	})
}

// typeOf is the token_type that the token endpoint has answered.
func typeOf(claims *symbolon.Claims) string {
	if claims.Confirmation != nil && claims.Confirmation.JKT != "" {
		return symbolon.TokenTypeDPoP
	}
	return symbolon.TokenTypeBearer
}
