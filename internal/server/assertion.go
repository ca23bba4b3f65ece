package server

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/dpop"
	"github.com/symbolon/symbolon/internal/jose"
)

// assertion is a client_assertion (RFC 7523 §2.2), not verified. Its claims are
// there after read.
type assertion struct {
	token             jose.Token
	text              string // as it was sent
	scanned           bool
	texts             claimTexts
	issuer, subject   string
	id                string    // jti
	audience          []string  // aud
	one               [1]string // space for it
	single            bool      // aud is one string
	expires           time.Time
	issued, notBefore time.Time // zero when absent
}

// claimTexts are the claims as they stand in the payload, nil when absent. All
// that are not named here are ignored.
type claimTexts struct{ iss, sub, jti, aud, exp, iat, nbf []byte }

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
	a := &assertion{text: text}
	if err := a.token.Read(text); err != nil {
		return nil, fmt.Errorf("the client_assertion cannot be read: %w", err)
	}
	return a, nil
}

// scan finds the claims in the payload, once, and reads none of them.
func (a *assertion) scan() error {
	if a.scanned {
		return nil
	}
	if err := jose.VisitObject(a.token.Payload, a.texts.member); err != nil {
		return unreadable(err)
	}
	a.scanned = true
	return nil
}

func unreadable(err error) error {
	return fmt.Errorf("the client_assertion's claims cannot be read: %w", err)
}

// member takes one claim.
func (t *claimTexts) member(name, value []byte) error {
	switch string(name) {
	case "iss":
		t.iss = value
	case "sub":
		t.sub = value
	case "jti":
		t.jti = value
	case "aud":
		t.aud = value
	case "exp":
		t.exp = value
	case "iat":
		t.iat = value
	case "nbf":
		t.nbf = value
	}
	return nil
}

// claimed is the subject, whoever wrote it: what tells who the client is where
// the request does not. What else strangers make up is not worth the work.
func (a *assertion) claimed() (subject string, err error) {
	if err := a.scan(); err != nil {
		return "", err
	}
	if a.texts.sub == nil {
		return "", nil
	}
	if subject, err = jose.Text(a.texts.sub); err != nil {
		return "", unreadable(fmt.Errorf("sub %w", err))
	}
	return subject, nil
}

// read reads the claims, after the signature.
func (a *assertion) read() error {
	if err := a.scan(); err != nil {
		return err
	}
	t := &a.texts
	for _, c := range [...]struct {
		name string
		text []byte
		into *string
	}{{"iss", t.iss, &a.issuer}, {"sub", t.sub, &a.subject}, {"jti", t.jti, &a.id}} {
		if c.text == nil {
			continue
		}
		var err error
		if *c.into, err = jose.Text(c.text); err != nil {
			return unreadable(fmt.Errorf("%s %w", c.name, err))
		}
	}
	for _, c := range [...]struct {
		name string
		text []byte
		into *time.Time
	}{{"exp", t.exp, &a.expires}, {"iat", t.iat, &a.issued}, {"nbf", t.nbf, &a.notBefore}} {
		if c.text == nil {
			continue
		}
		var err error
		if *c.into, err = jose.NumericDate(c.text); err != nil {
			return unreadable(fmt.Errorf("%s %w", c.name, err))
		}
	}
	if t.aud == nil {
		return nil
	}
	if err := a.setAudience(t.aud); err != nil {
		return unreadable(fmt.Errorf("aud %w", err))
	}
	return nil
}

// setAudience keeps whether it was one string: a list is not the same to
// everybody who reads it.
func (a *assertion) setAudience(value []byte) error {
	if s, err := jose.Text(value); err == nil {
		a.one[0] = s
		a.audience, a.single = a.one[:], true
		return nil
	}
	if json.Unmarshal(value, &a.audience) != nil {
		return errNotAudience
	}
	return nil
}

// replayKey names the assertion in the memory of what was presented. A NUL can
// stand in no client's id, so no two pairs have the same text.
//
// An assertion without a jti, where one may be, is named by what is signed of it.
// The signature is left out: those who have one can make another that fits, with
// some algorithms.
func (a *assertion) replayKey() [32]byte {
	var space [maxAssertionID + 256]byte
	text := append(append(space[:0], a.issuer...), 0)
	if a.id == "" {
		signed := sha256.Sum256([]byte(a.text[:max(0, strings.LastIndexByte(a.text, '.'))]))
		return sha256.Sum256(append(append(text, 0), signed[:]...))
	}
	return sha256.Sum256(append(text, a.id...))
}

// fault is why a proof of identity is not accepted: for the record, never for
// the answer.
type fault struct {
	clause, expected, got, fix string
	cause                      error
}

// check compares the claims of an assertion whose signature has been verified
// (RFC 7523 §3), with what it may be.
func (a *assertion) check(c *call, clientID string, may allowance) *fault {
	for _, step := range []func(*call, string, *allowance) *fault{
		a.checkType, a.checkClient, a.checkAudience, a.checkTimes, a.checkID,
	} {
		if f := step(c, clientID, &may); f != nil {
			return f
		}
	}
	return nil
}

// checkType: RFC 8725 §3.11, draft-ietf-oauth-rfc7523bis: a token of another
// kind is no assertion. Most programs set no type, or JWT.
func (a *assertion) checkType(*call, string, *allowance) *fault {
	h := a.token.Header
	if h.Type == "" || h.MatchType("JWT") || h.MatchType(symbolon.TypClientAuthentication) {
		return nil
	}
	return &fault{"RFC 8725 §3.11", symbolon.TypClientAuthentication + " or none", "another typ",
		"set the header's typ to " + symbolon.TypClientAuthentication, errors.New("the assertion's typ is another token's")}
}

// checkClient: RFC 7523 §3, points 1 and 2: iss and sub are the client's id.
func (a *assertion) checkClient(_ *call, clientID string, _ *allowance) *fault {
	if a.issuer == clientID && a.subject == clientID {
		return nil
	}
	return &fault{"RFC 7523 §3", "iss and sub " + clientID, "others", "set iss and sub to the client's id",
		errors.New("the assertion's iss and sub are not both the client's id")}
}

// checkAudience: draft-ietf-oauth-rfc7523bis: the issuer as the one string. What
// an assertion says to others besides may be used by them (CVE-2025-27370).
func (a *assertion) checkAudience(c *call, _ string, may *allowance) *fault {
	if a.single && a.audience[0] == c.Issuer.Iss || a.oldAudience(c, may) {
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
func (a *assertion) oldAudience(c *call, may *allowance) bool {
	return (a.single || may.list) && slices.ContainsFunc(a.audience, func(aud string) bool {
		return aud == c.Issuer.Iss || may.endpoint && slices.Contains(c.TokenURLs, aud)
	})
}

// checkTimes: RFC 7523 §3, points 4 to 6. A clock may be a little ahead of ours.
func (a *assertion) checkTimes(c *call, _ string, may *allowance) *fault {
	longest := may.longest
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

// checkID: without a jti nobody could tell a replay, unless by the whole text.
func (a *assertion) checkID(_ *call, _ string, may *allowance) *fault {
	if (a.id != "" || may.noID) && len(a.id) <= maxAssertionID {
		return nil
	}
	return &fault{"RFC 7523 §3", "a jti of 1 to 256 octets", "none, or a longer one", "give each assertion a jti of its own",
		errors.New("the assertion has no jti, or one that is too long")}
}
