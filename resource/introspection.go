package resource

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/client"
)

// Introspection is how an API asks Config.Issuer about access tokens that it
// cannot read (RFC 7662): opaque ones, which are all that are no signed JWT.
// Nothing about them is known but what the issuer says at the time: while it
// cannot be asked, requests with such tokens are answered 503.
//
// Whoever sends any text as a token causes a question: where strangers reach the
// API, limit them before it.
type Introspection struct {
	// ID is who asks: a client that the issuer lets see the tokens of this API
	// (resource_servers at symbolon). Auth is how it proves that, in any way that
	// package client has.
	ID   string
	Auth client.Auth

	// Always asks about signed JWTs too, and checks none by itself: what the issuer
	// denies counts at once, at the price of a question. It does not go together
	// with Config.Issuers, which are never asked.
	Always bool

	// Cache is for how long the answer that a token is active is used again, at
	// most 1 s, by the same API for the same token that is presented with the same
	// key; zero: 1 s, negative: every request asks.
	Cache time.Duration
}

const (
	// maxAnswerLife bounds Introspection.Cache: what is revoked ends within it.
	maxAnswerLife = time.Second
	// answerWait is how long the issuer has for an answer.
	answerWait = 3 * time.Second
)

func (cfg *Config) checkIntrospection() error {
	i := cfg.Introspection
	switch {
	case i == nil:
		return nil
	case i.Cache > maxAnswerLife:
		return wrong("Introspection.Cache", fmt.Errorf("must be %s or less", maxAnswerLife))
	case i.Always && len(cfg.Issuers) > 0:
		return wrong("Introspection.Always", errors.New("is set, and so is Issuers: only Issuer is asked; make an API for each issuer, or check the tokens of all by their signature"))
	}
	return nil
}

// What a token is refused with by the word of its issuer, or for want of it.
var (
	errInactive  = symbolon.NewError(symbolon.InvalidToken, "the access token is not active: it expired, was revoked, or is for another API: ask for a new one")
	errTokenType = symbolon.NewError(symbolon.InvalidToken, "the token is not an access token that can be taken here: its issuer gives it another token_type")
	errUnnamed   = symbolon.NewError(symbolon.InvalidToken, "the issuer of the access token does not say whose it is, or until when it is good")
	errNoAnswer  = symbolon.NewError(symbolon.TemporarilyUnavailable, "access tokens cannot be checked with their issuer at the moment: try again later")
)

// askAbout makes what Config.Introspection says; nil: opaque tokens are refused.
func (a *API) askAbout() (*introspection, error) {
	cfg := a.cfg.Introspection
	if cfg == nil {
		return nil, nil
	}
	asker, err := client.NewIntrospector(client.IntrospectorConfig{
		Issuer: a.cfg.Issuer, ID: cfg.ID, Auth: cfg.Auth, Timeout: answerWait, HTTP: a.cfg.HTTP, Now: a.cfg.Now, Logger: a.cfg.Logger,
	})
	if field := new(symbolon.ConfigError); errors.As(err, &field) {
		name := field.Field
		if name == "ID" || name == "Auth" {
			name = "Introspection." + name
		}
		return nil, wrong(name, field.Err)
	}
	if err != nil {
		return nil, err
	}
	i := &introspection{asker: asker, believe: a.believe, now: a.cfg.Now, always: cfg.Always, issuer: a.cfg.Issuer, audience: a.cfg.Audience, life: cfg.Cache}
	if i.life == 0 {
		i.life = maxAnswerLife
	}
	i.life = max(i.life, 0)
	i.ctx, i.cancel = context.WithCancel(context.Background())
	return i, nil
}

// judged gives what is known of the token that the request presents: by the word
// of its issuer, or by its signature. Of a nil request nothing but the token is
// known.
func (a *API) judged(ctx context.Context, r *Request, token string, t *symbolon.Trace) (*verified, *symbolon.Error) {
	if a.introspection.takes(token) {
		return a.introspected(ctx, r, token, t)
	}
	if a.introspection == nil && t == nil && opaque(token) {
		a.mention()
	}
	return a.verified(ctx, token, t)
}

// opaque reports whether the text may be an opaque token: it has no parts, and is
// too long to be guessed (RFC 6749 §10.10: 128 bits are 22 characters).
func opaque(token string) bool { return len(token) >= 22 && !strings.Contains(token, ".") }

// mentionAgain is how long nothing is said after mention did: whoever reaches the
// API can send any text as a token.
const mentionAgain = 10 * time.Minute

// mention tells the operator, who sees callers refused with invalid_token and may
// have forgotten what lets them in.
func (a *API) mention() {
	now, last := a.cfg.Now().UnixNano(), a.mentioned.Load()
	if last != 0 && time.Duration(now-last).Abs() < mentionAgain || !a.mentioned.CompareAndSwap(last, now) {
		return
	}
	a.cfg.Logger.Warn("a token that is no signed JWT was refused: introspection is not configured here",
		"issuer", a.cfg.Issuer, "audience", a.cfg.Audience,
		"fix", "if the issuer gives out opaque tokens for this API, name the client that may ask about them (Introspection, introspection in guard.yaml), or have it give out signed ones")
}

// takes reports whether the issuer is asked about the token: whatever has not the
// three parts of a signed JWT.
func (i *introspection) takes(token string) bool {
	return i != nil && (i.always || strings.Count(token, ".") != 2)
}

// introspected is what the issuer says of the token. An explanation asks anew.
func (a *API) introspected(ctx context.Context, r *Request, token string, t *symbolon.Trace) (*verified, *symbolon.Error) {
	i := a.introspection
	key := i.key(token, presentedBy(r))
	if t == nil {
		if v := i.answers.get(key, a.cfg.Now()); v != nil {
			return v, nil
		}
	}
	q := i.ask(key, token)
	if q == nil {
		return nil, a.unanswered(errManyQuestions, t)
	}
	select {
	case <-q.done:
	case <-ctx.Done():
		return nil, a.unanswered(symbolon.NewError(symbolon.TemporarilyUnavailable, "the caller did not wait for the answer").WithCause(ctx.Err()), t)
	}
	if q.failed != nil {
		return nil, a.unanswered(q.failed, t)
	}
	if t == nil {
		return q.verdict, q.refusal
	}
	return a.believe(q.answer, t)
}

var errManyQuestions = symbolon.NewError(symbolon.TemporarilyUnavailable, "too many questions are open, or the API was closed")

// unanswered is the refusal of a token about which nothing is known.
func (a *API) unanswered(why *symbolon.Error, t *symbolon.Trace) *symbolon.Error {
	if t != nil {
		fix := "see that the issuer can be reached from here, and that its metadata names an introspection_endpoint"
		if why.Code == symbolon.InvalidClient {
			fix = "compare Introspection.ID and Auth with the client that the issuer knows"
		}
		t.Fail("introspection", "RFC 7662 §2.2, §2.3", "an answer of "+a.cfg.Issuer, quoted(why.Error()), fix)
	}
	e := errNoAnswer.WithCause(why)
	e.RetryAfter = max(why.RetryAfter, time.Second)
	return e
}

// believe judges an answer as a token's claims are judged: that a token is active
// does not say that it is for this API, nor that who sends it may do so.
func (a *API) believe(answer *symbolon.IntrospectionAnswer, t *symbolon.Trace) (*verified, *symbolon.Error) {
	const clause = "RFC 7662 §2.2"
	t.OK("introspection", clause, "an answer of "+a.cfg.Issuer, "")
	if !answer.Active {
		if t != nil {
			t.Fail("active", clause, "a token that is active", "it is not, or it is for no API that client "+a.cfg.Introspection.ID+" serves",
				"ask for a new one with this API as resource; if that is not active either, name the client among the API's resource servers")
		}
		return nil, errInactive
	}
	t.OK("active", clause, "a token that is active", "")
	c := &answer.Claims
	if c.Issuer != a.cfg.Issuer {
		if t != nil {
			t.Fail("issuer", clause, a.cfg.Issuer, quoted(c.Issuer), "the issuer answers for another one: correct the configured issuer")
		}
		return nil, errIssuer
	}
	t.OK("issuer", clause, a.cfg.Issuer, a.cfg.Issuer)
	if err := a.audience(c, t); err != nil {
		return nil, err
	}
	if err := tokenType(answer, t); err != nil {
		return nil, err
	}
	if err := named(c, t); err != nil {
		return nil, err
	}
	if err := a.times(c, a.cfg.Now(), t); err != nil {
		return nil, err
	}
	return verifiedOf(c, nil, nil), nil
}

// tokenType: RFC 7662 §2.2, RFC 9449 §6.2: an issuer may call a refresh token
// active, too; and one that says DPoP and names no key leaves nothing to check.
func tokenType(answer *symbolon.IntrospectionAnswer, t *symbolon.Trace) *symbolon.Error {
	const clause = "RFC 7662 §2.2, RFC 9449 §6.2"
	want := symbolon.TokenTypeBearer
	if cnf := answer.Claims.Confirmation; cnf != nil && cnf.JKT != "" {
		want = symbolon.TokenTypeDPoP
	}
	if !strings.EqualFold(answer.TokenType, want) {
		if t != nil {
			t.Fail("token type", clause, "token_type "+want+", by its cnf", quoted(answer.TokenType), "send the access token; if it is, its issuer must say so in token_type and cnf")
		}
		return errTokenType
	}
	t.OK("token type", clause, "token_type "+want+", by its cnf", answer.TokenType)
	return nil
}

// named: what RFC 7662 §2.2 leaves open, and no decision can do without.
func named(c *symbolon.Claims, t *symbolon.Trace) *symbolon.Error {
	const clause, want = "RFC 7662 §2.2", "client_id and exp"
	missing := ""
	switch {
	case c.ClientID == "":
		missing = "client_id"
	case c.Expiry == 0:
		missing = "exp"
	default:
		t.OK("claims", clause, want, "")
		return nil
	}
	if t != nil {
		t.Fail("claims", clause, want, "no "+missing, "the issuer must say whose the token is, and until when it is good")
	}
	return errUnnamed.WithCause(errors.New("no " + missing))
}

// again asks about a token whose answer is not recent any more. A nil error: it is
// still good.
func (a *API) again(ctx context.Context, v *verified) *symbolon.Error {
	i, asked := a.introspection, v.asked
	if asked == nil || i.now().Sub(time.Unix(0, asked.at.Load())).Abs() < askAgain {
		return nil
	}
	q := i.ask(asked.key, asked.token)
	if q == nil {
		return a.unanswered(errManyQuestions, nil)
	}
	select {
	case <-q.done:
	case <-ctx.Done():
		return a.unanswered(symbolon.NewError(symbolon.TemporarilyUnavailable, "the caller did not wait for the answer").WithCause(ctx.Err()), nil)
	}
	switch {
	case q.failed != nil:
		return a.unanswered(q.failed, nil)
	case q.refusal != nil:
		return q.refusal
	case *binding(q.verdict) != *binding(v) || q.verdict.caller.ClientID != v.caller.ClientID:
		return errInactive // the issuer speaks of another token now
	}
	asked.at.Store(q.began.UnixNano())
	return nil
}

// askAgain is how old an answer may be for who was let in by it before.
const askAgain = 5 * time.Second

func binding(v *verified) *symbolon.Confirmation {
	if cnf := v.caller.Claims.Confirmation; cnf != nil {
		return cnf
	}
	return &unbound
}
