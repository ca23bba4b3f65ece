package resource

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// verified is what is known of a token whose signature is good.
type verified struct {
	caller *Caller
	key    *jose.Key
	from   *source // its issuer
	asked  *asked  // how its issuer was asked about it; nil: it was not

	denial atomic.Pointer[denialKeys] // what a set may list of it; nil: not made yet
}

// verified gives what is known of the token: remembered, or found out now.
func (a *API) verified(ctx context.Context, token string, t *symbolon.Trace) (*verified, *symbolon.Error) {
	now := a.cfg.Now()
	if a.cache == nil || t != nil { // an explanation walks every step
		return a.verify(ctx, token, now, t)
	}
	digest, v := a.cache.get(token)
	if v != nil {
		if now.Unix() >= v.caller.Claims.Expiry {
			return nil, errExpired
		}
		if v.from.keys.has(v.key, now) {
			return v, nil
		}
		a.cache.drop(digest) // its key left
	}
	v, err := a.verify(ctx, token, now, nil)
	if err == nil {
		a.cache.put(digest, v, now)
	}
	return v, err
}

// verify is RFC 9068 §4, in its order. Nothing that it reads is believed
// before the signature is good; that a token expired is said only of one that
// the issuer signed (CVE-2024-51744).
func (a *API) verify(ctx context.Context, token string, now time.Time, t *symbolon.Trace) (*verified, *symbolon.Error) {
	var parsed jose.Token
	claims, err := parse(&parsed, token, t)
	if err != nil {
		return nil, err
	}
	if err := a.typ(parsed.Header, t); err != nil {
		return nil, err
	}
	from, err := a.from(claims, t)
	if err != nil {
		return nil, err
	}
	if err := a.audience(claims, t); err != nil {
		return nil, err
	}
	key, err := from.signature(ctx, &parsed, now, t)
	if err != nil {
		return nil, err
	}
	if err := a.times(claims, now, t); err != nil {
		return nil, err
	}
	if err := required(claims, t); err != nil {
		return nil, err
	}
	return verifiedOf(claims, key, from), nil
}

// parse: the shape of the token, its header and its claims. An encrypted token
// (five parts) and alg none end here. The token goes into parsed.
func parse(parsed *jose.Token, token string, t *symbolon.Trace) (*symbolon.Claims, *symbolon.Error) {
	const clause = "RFC 7519 §7.2"
	err := parsed.Read(token)
	if err == nil {
		err = jose.CheckObject(parsed.Payload)
	}
	var claims *symbolon.Claims
	if err == nil {
		claims, err = symbolon.ParseClaims(parsed.Payload)
	}
	if err != nil {
		if t != nil {
			t.Fail("form", clause, "a signed JWT with claims of the right types", err.Error(), "send the token exactly as the issuer gave it")
		}
		return nil, errMalformed.WithCause(err)
	}
	t.OK("form", clause, "a signed JWT with claims of the right types", "")
	return claims, nil
}

// typ: RFC 9068 §4 step 1, RFC 8725 §3.11: an ID token, an assertion or a
// proof is not an access token.
func (a *API) typ(h jose.Header, t *symbolon.Trace) *symbolon.Error {
	if !a.cfg.acceptsType(h) {
		if t != nil {
			t.Fail("type", "RFC 9068 §4", symbolon.TypAccessToken, quoted(h.Type), "send the access token; if the API's tokens are issued with another typ, name it in AllowTyp")
		}
		return errType
	}
	if t != nil {
		t.OK("type", "RFC 9068 §4", symbolon.TypAccessToken, quoted(h.Type))
	}
	return nil
}

// from: RFC 9068 §4 step 3: exactly, as one string.
func (a *API) from(c *symbolon.Claims, t *symbolon.Trace) (*source, *symbolon.Error) {
	s := a.source(c.Issuer)
	if s == nil {
		if t != nil {
			t.Fail("issuer", "RFC 9068 §4", a.cfg.named(), quoted(c.Issuer), "ask this API's issuer for the token, or correct the configured issuer")
		}
		return nil, errIssuer
	}
	t.OK("issuer", "RFC 9068 §4", s.issuer, s.issuer)
	return s, nil
}

// audience: RFC 9068 §4 step 4: one of the members, exactly.
func (a *API) audience(c *symbolon.Claims, t *symbolon.Trace) *symbolon.Error {
	if !c.HasAudience(a.cfg.Audience) {
		if t != nil {
			t.Fail("audience", "RFC 9068 §4", a.cfg.Audience, quoted(c.Audience...), "ask for the token with this API as resource")
		}
		return errAudience
	}
	if t != nil {
		t.OK("audience", "RFC 9068 §4", a.cfg.Audience, quoted(c.Audience...))
	}
	return nil
}

// signature: RFC 9068 §4 step 5, RFC 8725 §3.1: by the published key that the
// kid names, with the key's algorithm.
func (s *source) signature(ctx context.Context, parsed *jose.Token, now time.Time, t *symbolon.Trace) (*jose.Key, *symbolon.Error) {
	s.denied.begin()
	key, failed := s.keys.find(ctx, parsed.Header.KeyID, now)
	if failed != nil {
		if t != nil {
			fix := "the issuer rotated or revoked the key, or the token is not from it: ask for a new one"
			if failed.Code == symbolon.TemporarilyUnavailable {
				fix = "see that the issuer can be reached from here: " + s.keys.trouble()
			}
			t.Fail("key", "RFC 9068 §4", "a key of "+s.issuer, quoted(parsed.Header.KeyID), fix)
		}
		return nil, failed
	}
	if t != nil {
		t.OK("key", "RFC 9068 §4", "a key of "+s.issuer, quoted(parsed.Header.KeyID))
	}
	if err := parsed.Verify(key); err != nil {
		if t != nil {
			t.Fail("signature", "RFC 8725 §3.1", "a signature with "+string(key.Algorithm), string(parsed.Header.Algorithm), "the token was changed or forged: ask for a new one")
		}
		return nil, errSignature.WithCause(err)
	}
	if t != nil {
		t.OK("signature", "RFC 8725 §3.1", "a signature with "+string(key.Algorithm), string(parsed.Header.Algorithm))
	}
	return key, nil
}

// times: RFC 9068 §4 step 6, RFC 7519 §4.1.4 to §4.1.6.
func (a *API) times(c *symbolon.Claims, now time.Time, t *symbolon.Trace) *symbolon.Error {
	sec, ahead := now.Unix(), int64(a.cfg.ClockSkew/time.Second)
	at := func(s int64) string { return time.Unix(s, 0).UTC().Format(time.RFC3339) }
	switch {
	case c.Expiry <= sec:
		if t != nil {
			t.Fail("expiry", "RFC 7519 §4.1.4", "exp after "+at(sec), at(c.Expiry), "ask for a new token")
		}
		return errExpired
	case c.IssuedAt > sec+ahead, c.NotBefore > sec+ahead:
		if t != nil {
			t.Fail("begin", "RFC 7519 §4.1.5, §4.1.6", "iat and nbf until "+at(sec+ahead), "iat "+at(c.IssuedAt)+", nbf "+at(c.NotBefore), "compare the clocks of issuer and API")
		}
		return errNotYet
	}
	if t != nil {
		t.OK("expiry", "RFC 7519 §4.1.4", "exp after "+at(sec), at(c.Expiry))
		t.OK("begin", "RFC 7519 §4.1.5, §4.1.6", "iat and nbf until "+at(sec+ahead), "iat "+at(c.IssuedAt))
	}
	return nil
}

// required: RFC 9068 §2.2. iss, aud and exp were compared already.
func required(c *symbolon.Claims, t *symbolon.Trace) *symbolon.Error {
	for _, claim := range [...]struct {
		name string
		ok   bool
	}{{"sub", c.Subject != ""}, {"client_id", c.ClientID != ""}, {"iat", c.IssuedAt != 0}, {"jti", c.ID != ""}} {
		if !claim.ok {
			if t != nil {
				t.Fail("claims", "RFC 9068 §2.2", "sub, client_id, iat and jti", "no "+claim.name, "the issuer does not write access tokens of RFC 9068")
			}
			return errClaims.WithCause(errors.New("no " + claim.name))
		}
	}
	t.OK("claims", "RFC 9068 §2.2", "sub, client_id, iat and jti", "")
	return nil
}

// verifiedOf puts what is known of a token into one piece of memory: requests
// are many, and each of them makes one.
func verifiedOf(c *symbolon.Claims, key *jose.Key, from *source) *verified {
	v := new(struct {
		verified
		its    Caller
		scopes [4]string // most tokens have no more
	})
	v.its = Caller{
		Issuer: c.Issuer, ClientID: c.ClientID, Subject: c.Subject, Scopes: v.scopes[:0], TokenID: c.ID,
		Expiry: time.Unix(c.Expiry, 0), Claims: c,
	}
	for scope := range strings.SplitSeq(c.Scope, " ") {
		if scope != "" {
			v.its.Scopes = append(v.its.Scopes, scope)
		}
	}
	v.its.Scopes = slices.Clip(v.its.Scopes) // who appends to it gets a copy
	if key != nil {
		v.its.KeyID = key.ID
	}
	v.caller, v.key, v.from = &v.its, key, from
	v.its.token = &v.verified
	return &v.verified
}

// quoted shows foreign text on one line, and not much of it.
func quoted(values ...string) string {
	const most = 200
	var b []byte
	for i, v := range values {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendQuote(b, v)
		if len(b) > most {
			return string(b[:most]) + "…"
		}
	}
	return string(b)
}
