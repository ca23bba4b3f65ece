package server

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// assertion is a client_assertion (RFC 7523 §2.2), not verified. Its claims are
// there after read.
type assertion struct {
	token             *jose.Token
	wasRead           bool
	issuer, subject   string
	id                string   // jti
	audience          []string // aud
	single            bool     // aud is one string
	expires           time.Time
	issued, notBefore time.Time // zero when absent
}

// Bounds of an assertion.
const (
	maxAssertionLife = 5 * time.Minute
	maxAssertionID   = 256 // octets of jti
)

// Private causes of an assertion that is refused.
var (
	errAssertionType = errors.New("client_assertion_type is not " + symbolon.AssertionTypeJWT)
	errNoSubject     = errors.New("neither client_id nor the assertion's sub names a client")
	errNotAudience   = errors.New("is neither a string nor a list of strings")
)

// readAssertion reads all but the claims.
func readAssertion(text string) (*assertion, error) {
	token, err := jose.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the client_assertion cannot be read: %w", err)
	}
	return &assertion{token: token}, nil
}

// read reads the claims: after the signature, unless they alone tell who the
// client is. What strangers make up is not worth the work.
func (a *assertion) read() error {
	if a.wasRead {
		return nil
	}
	if err := jose.VisitObject(a.token.Payload, a.member); err != nil {
		return fmt.Errorf("the client_assertion's claims cannot be read: %w", err)
	}
	a.wasRead = true
	return nil
}

// member takes one claim. All that are not named here are ignored.
func (a *assertion) member(name, value []byte) (err error) {
	switch string(name) {
	case "iss":
		a.issuer, err = jose.Text(value)
	case "sub":
		a.subject, err = jose.Text(value)
	case "jti":
		a.id, err = jose.Text(value)
	case "aud":
		err = a.setAudience(value)
	case "exp":
		a.expires, err = jose.NumericDate(value)
	case "iat":
		a.issued, err = jose.NumericDate(value)
	case "nbf":
		a.notBefore, err = jose.NumericDate(value)
	}
	if err != nil {
		return fmt.Errorf("%s %w", name, err) // one of the names above
	}
	return nil
}

// setAudience keeps whether it was one string: a list is not the same to
// everybody who reads it.
func (a *assertion) setAudience(value []byte) error {
	if s, err := jose.Text(value); err == nil {
		a.audience, a.single = []string{s}, true
		return nil
	}
	if json.Unmarshal(value, &a.audience) != nil {
		return errNotAudience
	}
	return nil
}

// replayKey names the assertion in the memory of what was presented. A NUL can
// stand in no client's id, so no two pairs have the same text.
func (a *assertion) replayKey() [32]byte {
	return sha256.Sum256([]byte(a.issuer + "\x00" + a.id))
}

// fault is why a proof of identity is not accepted: for the record, never for
// the answer.
type fault struct {
	clause, expected, got, fix string
	cause                      error
}

// check compares the claims of an assertion whose signature has been verified
// (RFC 7523 §3). legacy is the client's exception, nil when there is none or its
// date has passed.
func (a *assertion) check(c *call, clientID string, legacy *registry.LegacyAssertion) *fault {
	for _, step := range []func(*call, string, *registry.LegacyAssertion) *fault{
		a.checkType, a.checkClient, a.checkAudience, a.checkTimes, a.checkID,
	} {
		if f := step(c, clientID, legacy); f != nil {
			return f
		}
	}
	return nil
}

// checkType: RFC 8725 §3.11, draft-ietf-oauth-rfc7523bis: a token of another
// kind is no assertion. Most programs set no type, or JWT.
func (a *assertion) checkType(*call, string, *registry.LegacyAssertion) *fault {
	h := a.token.Header
	if h.Type == "" || h.MatchType("JWT") || h.MatchType(symbolon.TypClientAuthentication) {
		return nil
	}
	return &fault{"RFC 8725 §3.11", symbolon.TypClientAuthentication + " or none", "another typ",
		"set the header's typ to " + symbolon.TypClientAuthentication, errors.New("the assertion's typ is another token's")}
}

// checkClient: RFC 7523 §3, points 1 and 2: iss and sub are the client's id.
func (a *assertion) checkClient(_ *call, clientID string, _ *registry.LegacyAssertion) *fault {
	if a.issuer == clientID && a.subject == clientID {
		return nil
	}
	return &fault{"RFC 7523 §3", "iss and sub " + clientID, "others", "set iss and sub to the client's id",
		errors.New("the assertion's iss and sub are not both the client's id")}
}

// checkAudience: draft-ietf-oauth-rfc7523bis: the issuer as the one string. What
// an assertion says to others besides may be used by them (CVE-2025-27370).
func (a *assertion) checkAudience(c *call, _ string, legacy *registry.LegacyAssertion) *fault {
	if a.single && a.audience[0] == c.Issuer.Iss || legacy != nil && a.oldAudience(c, legacy) {
		return nil
	}
	got := "another"
	switch {
	case len(a.audience) == 0:
		got = "none"
	case !a.single:
		got = "a list"
	case slices.Contains(c.TokenURLs, a.audience[0]):
		got = "the token endpoint"
	}
	return &fault{"RFC 7523 §3", "aud " + c.Issuer.Iss + ", as a string", got,
		"set aud to the issuer; for a program that cannot, give the client a legacy_assertion with a date",
		fmt.Errorf("the assertion's aud is %s, not the issuer", got)}
}

// oldAudience is RFC 7523 as it was read before: the token endpoint's URL, or a
// list in which the issuer stands.
func (a *assertion) oldAudience(c *call, legacy *registry.LegacyAssertion) bool {
	endpoint := slices.Contains(legacy.Audience, registry.AudienceTokenEndpoint)
	list := slices.Contains(legacy.Audience, registry.AudienceIssuerArray)
	return (a.single || list) && slices.ContainsFunc(a.audience, func(aud string) bool {
		return aud == c.Issuer.Iss || endpoint && slices.Contains(c.TokenURLs, aud)
	})
}

// checkTimes: RFC 7523 §3, points 4 to 6. A clock may be a little ahead of ours.
func (a *assertion) checkTimes(c *call, _ string, legacy *registry.LegacyAssertion) *fault {
	longest := maxAssertionLife
	if legacy != nil {
		longest = max(longest, legacy.MaxLifetime.Std())
	}
	ahead := c.now.Add(dpop.MaxAhead)
	wrong := func(got, fix string) *fault {
		return &fault{"RFC 7523 §3", "exp within " + longest.String() + ", iat and nbf not ahead", got, fix, errors.New("the assertion " + got)}
	}
	switch {
	case a.expires.IsZero():
		return wrong("has no exp", "set exp, a minute ahead")
	case !c.now.Before(a.expires):
		return wrong("has expired", "make an assertion for each request; compare the clocks")
	case a.expires.After(ahead.Add(longest)):
		return wrong("lives too long", "set exp a minute ahead")
	case a.issued.After(ahead), a.notBefore.After(ahead):
		return wrong("is from the future", "compare the clocks of the program and this server")
	case !a.issued.IsZero() && a.issued.Before(c.now.Add(-longest-dpop.MaxAhead)):
		return wrong("is too old", "make an assertion for each request; compare the clocks")
	}
	return nil
}

// checkID: without a jti nobody could tell a replay.
func (a *assertion) checkID(*call, string, *registry.LegacyAssertion) *fault {
	if a.id != "" && len(a.id) <= maxAssertionID {
		return nil
	}
	return &fault{"RFC 7523 §3", "a jti of 1 to 256 octets", "none, or a longer one", "give each assertion a jti of its own",
		errors.New("the assertion has no jti, or one that is too long")}
}
