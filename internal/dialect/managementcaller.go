package dialect

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/resource"
)

// Who calls a management API, and why it may be nobody. An answer never tells the
// reasons apart; the record, which is for operators, does.

// identify finds out who asks, by what the Authorization header has.
func (e *Endpoints) identify(c *managed, d demand) (admin.Actor, error) {
	values := c.r.Header["Authorization"]
	if len(values) == 0 {
		return admin.Actor{}, errNoCaller
	}
	if tokenInURL(c.r.URL.RawQuery) {
		return admin.Actor{}, errTokenInURL
	}
	scheme, value, _ := strings.Cut(values[0], " ")
	// Okta's programs send their API token so: @okta/okta-sdk-nodejs, and
	// github.com/okta/okta-sdk-golang.
	if c.Issuer.Dialect == registry.DialectOkta && len(values) == 1 && strings.EqualFold(scheme, "SSWS") {
		return e.byOperatorToken(c, strings.TrimLeft(value, " "))
	}
	return e.byAccessToken(c, d)
}

var errTokenInURL = symbolon.NewError(symbolon.InvalidRequest, "access tokens in the query are refused: send the Authorization header instead")

// tokenInURL reports whether a query has an access token, whatever else it has: RFC
// 6750 §2.3, RFC 9700 §4.3.2: it is in logs and histories. Package resource refuses
// it beside a good access token; so it is beside a good operator token.
func tokenInURL(query string) bool {
	for part := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err == nil && plain == "access_token" {
			return true
		}
	}
	return false
}

// byOperatorToken lets an operator token act that is for such calls and names
// this issuer: it reaches the whole organisation then.
func (e *Endpoints) byOperatorToken(c *managed, value string) (admin.Actor, error) {
	t := c.Snapshot.AnyOperatorToken(value)
	if t == nil {
		return admin.Actor{}, errNotCaller.WithCause(errors.New("no operator token has this value: it was deleted, or is another server's, or not whole"))
	}
	actor := admin.OfToken(t, c.x.RequestID, c.Snapshot.Organisation(c.Issuer))
	c.who.Name = actor.Name
	if err := notAtThis(c, t, e.cfg.Now()); err != nil {
		return admin.Actor{}, errNotCaller.WithCause(err)
	}
	c.who.Verified = true
	return actor, nil
}

// notAtThis says why an operator token is not taken at the call's organisation, for
// its operator alone; nil: it is.
func notAtThis(c *managed, t *registry.OperatorToken, now time.Time) error {
	switch {
	case !t.Live(now):
		return fmt.Errorf("the operator token %s expired at %s; symbolon operator-token update %[1]s --expires sets another time",
			t.ID, t.Expires.UTC().Format(time.RFC3339))
	case !t.SSWS:
		return fmt.Errorf("the operator token %s is not for SSWS; symbolon operator-token update %[1]s --ssws makes it so", t.ID)
	case !slices.Contains(t.Issuers, c.Issuer.ID):
		return fmt.Errorf("the operator token %s is not for this organisation, but for the issuers %s", t.ID, strings.Join(t.Issuers, ", "))
	}
	return nil
}

// byAccessToken lets a client act that has a token of the organisation's
// management API, with the key that the token is bound to.
func (e *Endpoints) byAccessToken(c *managed, d demand) (admin.Actor, error) {
	api, identifier, err := e.management.api(&e.cfg, c.Place)
	if err != nil {
		return admin.Actor{}, err
	}
	if c.shown == nil { // a proof is good once
		c.shown, err = api.Check(c.r.Context(), resource.Request{
			Method: c.r.Method, URL: c.r.URL, Authorization: c.r.Header["Authorization"], DPoP: c.r.Header[symbolon.HeaderDPoP], Certificate: c.x.Certificate,
		})
		if err != nil {
			return admin.Actor{}, c.notBearer(err)
		}
	}
	caller := c.shown
	c.who.Name = caller.ClientID
	// What is denied stands in the snapshot that the request is decided on, at once
	// and for each node: the set that other validators follow comes later, and so
	// does a key set without the key that was revoked.
	facts := registry.TokenFacts{Client: caller.ClientID, Cred: caller.Claims.Cred, JTI: caller.TokenID, KID: caller.KeyID, Gen: caller.Claims.Gen}
	if !e.cfg.Server.Published(c.Place, caller.KeyID) || c.Issuer.Denied(facts) || c.Issuer.DeniedAt(facts, identifier) {
		return admin.Actor{}, errNotCaller.WithCause(errors.New("the access token is revoked, or its client, its access or its key is"))
	}
	c.who.Verified = true
	if !slices.ContainsFunc(d.scopes, caller.HasScope) {
		return admin.Actor{}, errNoScope.WithCause(fmt.Errorf("the access token has none of the scopes that would do: %s", strings.Join(d.scopes, ", ")))
	}
	return admin.OfManagement(caller.ClientID, c.x.RequestID, d.permissions, c.Snapshot.Organisation(c.Issuer)), nil
}

// notBearer names the cause where what came as an access token is an operator token.
func (c *managed) notBearer(err error) error {
	_, value, _ := strings.Cut(c.r.Header["Authorization"][0], " ")
	t := c.Snapshot.AnyOperatorToken(strings.TrimLeft(value, " "))
	if t == nil {
		return err
	}
	why := fmt.Errorf("this is the operator token %s, sent as an access token", t.ID)
	if c.Issuer.Dialect == registry.DialectOkta {
		why = fmt.Errorf("%w; send it as SSWS", why)
	} else {
		why = fmt.Errorf("%w; this management API takes none, give a client access to it", why)
	}
	return symbolon.AsError(err).WithCause(why)
}

// maxPathTold bounds how much of a path a record repeats, in octets.
const maxPathTold = 100

// noPath is why a path is not found, for the record.
func (c *managed) noPath() error {
	path := c.r.URL.EscapedPath() // without characters that would break a line
	if len(path) > maxPathTold {
		path = path[:maxPathTold] + "…"
	}
	return fmt.Errorf("there is nothing at %s %s", c.r.Method, path)
}
