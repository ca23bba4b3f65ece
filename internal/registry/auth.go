package registry

import (
	"slices"
	"time"

	"github.com/symbolon/symbolon"
)

// AtIssuer reports whether the client may authenticate at the issuer. At any
// other it is an unknown client.
func (c *Client) AtIssuer(id string) bool {
	if len(c.Issuers) == 0 {
		return id == DefaultIssuer
	}
	return slices.Contains(c.Issuers, id)
}

// IssuerIDs are the issuers where the client may authenticate.
func (c *Client) IssuerIDs() []string {
	if len(c.Issuers) == 0 {
		return []string{DefaultIssuer}
	}
	return c.Issuers
}

// Live reports whether the secret may still be used at the time.
func (s *Secret) Live(now time.Time) bool { return s.Expires.IsZero() || now.Before(s.Expires) }

// LiveSecrets are the secrets that may be used at the time, in the order of
// the document.
func (c *Client) LiveSecrets(now time.Time) []Secret {
	live := make([]Secret, 0, len(c.Secrets))
	for i := range c.Secrets {
		if c.Secrets[i].Live(now) {
			live = append(live, c.Secrets[i])
		}
	}
	return live
}

// secretMethods are the methods that a secret allows. They count as one unless
// Auth names only one of them: programs pick either without telling.
var secretMethods = []string{symbolon.AuthSecretBasic, symbolon.AuthSecretPost}

// Authenticates reports whether the client may use the authentication method:
// it has a credential of that kind, and Auth does not narrow the method away.
// Whether the credential still lives is decided where it is compared.
func (c *Client) Authenticates(method string) bool {
	return len(c.Secrets) > 0 && slices.Contains(secretMethods, method) && c.allows(method)
}

// Methods are the authentication methods that the client could use at the
// time, by their registered names (RFC 7591 §2).
func (c *Client) Methods(now time.Time) []string {
	if !slices.ContainsFunc(c.Secrets, func(s Secret) bool { return s.Live(now) }) {
		return nil
	}
	var methods []string
	for _, m := range secretMethods {
		if c.allows(m) {
			methods = append(methods, m)
		}
	}
	return methods
}

func (c *Client) allows(method string) bool {
	return len(c.Auth) == 0 || slices.Contains(c.Auth, method)
}
