package registry

import (
	"crypto/sha256"
	"strings"
	"time"
)

// Bounds of the value of an operator token, in octets. Nothing else protects it
// from guessing than its length: one SHA-256 of it is kept.
const (
	MinTokenValue = 32
	maxTokenValue = 512
)

// CheckTokenValue says what keeps a value from being that of an operator token,
// and the way out; message is "" when nothing does. It never repeats the value.
func CheckTokenValue(value string) (message, fix string) {
	const generated = "leave the value out and the server makes one, or take 64 random digits: openssl rand -hex 32"
	switch {
	case len(value) < MinTokenValue:
		return "the value has less than 32 octets: it could be guessed", generated
	case len(value) > maxTokenValue:
		return "the value has more than 512 octets", generated
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "the value has other characters than visible ASCII, which do not travel in a header", generated
	}
	return "", ""
}

// Validate says everything that is wrong with the token by itself.
func (t *OperatorToken) Validate() error {
	p := &problems{kind: KindOperatorToken, id: t.ID}
	p.objectID(t.ID)
	p.text("name", t.Name, maxName)
	p.role(t.Role)
	if len(t.Issuers) == 0 {
		p.add("issuers", "missing: a token is good at some issuers, never at all", "name one at least, as [okta]")
	}
	p.ids("issuers", t.Issuers)
	if _, ok := ParseSHA256(t.Hash); !ok {
		p.add("hash", `not "sha256:" and 64 lower-case hexadecimal digits`, "copy it from symbolon export, or give the value instead")
	}
	p.size(t, MaxDoc)
	return p.found.Err()
}

// ValidateOperatorToken says everything that is wrong between the token and the
// issuers that it names: a Problems or nil.
func ValidateOperatorToken(v View, t *OperatorToken) error {
	p := &problems{kind: KindOperatorToken, id: t.ID}
	for _, id := range t.Issuers {
		i := v.Issuers[id]
		switch {
		case i == nil:
			p.add(at("issuers", id), "there is no issuer "+id, "create it first, or name another")
		// A name that did nothing would be read as a bound: docs/decisions/0009.
		case t.SSWS && (i.Dialect != DialectOkta || i.Management(v.Base) == nil):
			p.add(at("issuers", id), "issuer "+id+" takes no SSWS tokens",
				"name an organisation by its issuer with the dialect okta and no path, which reaches all of its issuers; or remove ssws")
		}
	}
	return p.found.Err()
}

// Live reports whether the token has not expired.
func (t *OperatorToken) Live(now time.Time) bool { return t.Expires.IsZero() || now.Before(t.Expires) }

// OperatorToken is the live token of that value; nil when there is none. The
// value is looked up by its digest: how long that takes tells nothing about it.
func (s *Snapshot) OperatorToken(value string, now time.Time) *OperatorToken {
	if t := s.AnyOperatorToken(value); t != nil && t.Live(now) {
		return t
	}
	return nil
}

// AnyOperatorToken is the token of that value, whether it has expired or not: for
// telling an operator why it is refused. Nil when there is none.
func (s *Snapshot) AnyOperatorToken(value string) *OperatorToken {
	if len(value) > maxTokenValue {
		return nil
	}
	return s.byValue[sha256.Sum256([]byte(value))]
}

// tokens are found by their digests. Where two have the same, which nothing
// writes, the first by id stays.
func (b *builder) tokens() {
	b.s.byValue = make(map[[32]byte]*OperatorToken, len(b.s.OperatorTokens))
	for _, id := range sortedKeys(b.s.OperatorTokens) {
		t := b.s.OperatorTokens[id]
		digest, ok := ParseSHA256(t.Hash)
		switch {
		case !ok:
			b.warn(KindOperatorToken, id, "its hash cannot be read", "delete it, and create another")
		case b.s.byValue[digest] != nil:
			b.warn(KindOperatorToken, id, "it has the value of operator token "+b.s.byValue[digest].ID, "delete one of them")
		default:
			b.s.byValue[digest] = t
		}
	}
}
