package server

import (
	"errors"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
)

// issuedToken is an access token that the issuer has issued, with what it has put
// into it.
type issuedToken struct {
	claims *symbolon.Claims
	kid    string // of the key that signed or sealed it
}

// facts are what denials go by.
func (t *issuedToken) facts() registry.TokenFacts {
	return registry.TokenFacts{Client: t.claims.ClientID, Cred: t.claims.Cred, JTI: t.claims.ID, KID: t.kid, Gen: t.claims.Gen}
}

// Why a text is no token that counts: for the record, never for the answer.
// Nothing of the text is in it, for it may be anything.
var (
	errTokenForm    = errors.New("the text cannot be read as a token")
	errTokenSeal    = errors.New("the text is not sealed by this server, for this issuer")
	errTokenType    = errors.New("the JWT is of another type than access tokens")
	errTokenKey     = errors.New("the issuer has no published key of the JWT's kid")
	errTokenSigned  = errors.New("the JWT's signature is not by the key that it names")
	errTokenClaims  = errors.New("the claims are not those of an access token of this issuer")
	errTokenExpired = errors.New("the token has expired")
)

const (
	checkToken  = "token"
	clauseToken = "RFC 7662 §4"
	ourToken    = "an access token of this issuer, as it was issued"
)

func notOurs(got string, cause error) *fault {
	return &fault{clauseToken, ourToken, got, "send the access token as the token endpoint gave it, to the issuer that gave it", cause}
}

// recognize finds out whether a text is a token of the issuer: signed by one of
// the keys that it publishes, or sealed for it. Nothing that the text says counts
// before that. Whether the token is good still is another question.
func (s *Server) recognize(c *call, text string) (t issuedToken, why *fault) {
	var payload []byte
	// An opaque token has no dot, a JWT has two.
	if strings.IndexByte(text, '.') < 0 {
		claims, err := s.cfg.Ring.OpenToken(c.Issuer.Iss, text)
		if err != nil {
			return t, notOurs("not sealed here, or changed", errTokenSeal)
		}
		payload, t.kid = claims, s.cfg.Ring.TokenKey()
	} else {
		token, why := s.verifySigned(c, text)
		if why != nil {
			return t, why
		}
		payload, t.kid = token.Payload, token.Header.KeyID
	}
	claims, err := symbolon.ParseClaims(payload)
	if err != nil || claims.Issuer != c.Issuer.Iss || claims.ClientID == "" || claims.ID == "" || claims.Cred == "" || claims.Gen == 0 {
		return t, notOurs("other claims", errTokenClaims)
	}
	t.claims = claims
	c.trace.OK(checkToken, clauseToken, ourToken, "by key "+t.kid)
	c.record.JTI, c.record.KID, c.record.Gen, c.record.Exp = claims.ID, t.kid, claims.Gen, claims.Expiry
	return t, nil
}

// verifySigned reads a JWT and checks its signature, by a key that verifiers have
// too: one that is next, active or retired.
func (s *Server) verifySigned(c *call, text string) (*jose.Token, *fault) {
	token := new(jose.Token)
	if token.Read(text) != nil {
		return nil, notOurs("not a JWT", errTokenForm)
	}
	h := &token.Header
	// RFC 9701 §8.1: our keys sign answers of this endpoint too, which are no tokens.
	if !h.MatchType(symbolon.TypAccessToken) && !h.MatchType("JWT") {
		return nil, notOurs("another typ", errTokenType)
	}
	key, why := published(c.Issuer, h.KeyID, c.now)
	if why != nil {
		return nil, why
	}
	public, err := s.cfg.Ring.Verifier(key)
	if err != nil {
		return nil, &fault{clauseToken, "a key that can be read", key.ID, "symbolon key revoke, so that the next one takes over", err}
	}
	if token.Verify(public) != nil {
		return nil, notOurs("another signature", errTokenSigned)
	}
	return token, nil
}

// published is the issuer's key of that id, if verifiers have it now.
func published(v *registry.IssuerView, kid string, now time.Time) (*registry.Key, *fault) {
	key := v.Key(kid)
	if key == nil {
		return nil, notOurs("an unknown kid", errTokenKey)
	}
	if state := keys.State(key, now); state == keys.StateRevoked || state == keys.StateDeleted {
		return nil, notOurs("a "+state+" key", errTokenKey)
	}
	return key, nil
}

// current recognizes the token that the request is about, and looks whether it has
// come to its end by itself.
func (s *Server) current(c *call) (t issuedToken, why *fault) {
	if t, why = s.recognize(c, c.request.Token); why != nil {
		return t, c.notes(checkToken, why)
	}
	const name, alive = "expiry", "a token that has not expired"
	// RFC 7519 §4.1.4: not on or after exp. Of its own clock the issuer needs no leeway.
	if c.now.Unix() < t.claims.Expiry {
		c.trace.OK(name, clauseToken, alive, "alive")
		return t, nil
	}
	return t, c.notes(name, &fault{clauseToken, alive, "expired at " + time.Unix(t.claims.Expiry, 0).UTC().Format(time.RFC3339),
		"have the program get a new token", errTokenExpired})
}
