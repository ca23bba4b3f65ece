package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
)

// CredentialKind says of which sort a credential is, as commands and messages
// call it.
type CredentialKind string

// The sorts of credentials.
const (
	CredentialSecret      CredentialKind = "secret"
	CredentialKey         CredentialKind = "key" // also a jwks_uri
	CredentialCertificate CredentialKind = "certificate"
)

// action is what a record calls a change of such a credential: "key.revoke" is
// that of a signing key.
func (k CredentialKind) action(verb string) string {
	if k == CredentialKey {
		return "client_key." + verb
	}
	return string(k) + "." + verb
}

// credentialKinds are all of them, with the letter that ids begin with.
var credentialKinds = []struct {
	kind   CredentialKind
	letter string
}{{CredentialSecret, "s"}, {CredentialKey, "k"}, {CredentialCertificate, "c"}}

// RemoveCredential ends a rotation: the credential is not accepted any more, and
// the tokens obtained with it stay good until they expire.
func (a *Admin) RemoveCredential(ctx context.Context, actor Actor, t Target, kind CredentialKind, id string) (Client, int64, error) {
	return a.editClient(ctx, actor, t, kind.action("remove"), func(_ *change, s *staged, client *registry.Client) error {
		if _, found := takeCredential(client, kind, id); !found {
			return noCredential(client, kind, id)
		}
		s.why = string(kind) + " " + id
		return nil
	})
}

// RevokeCredential is for a credential that leaked: it is not accepted any more,
// under no id, and the tokens obtained with it are denied. It works on one that
// was removed before, too.
func (a *Admin) RevokeCredential(ctx context.Context, actor Actor, t Target, kind CredentialKind, id string) (Client, int64, error) {
	return a.editClient(ctx, actor, t, kind.action("revoke"), func(c *change, s *staged, client *registry.Client) error {
		return c.revoke(s, client, kind, id)
	})
}

func (c *change) revoke(s *staged, client *registry.Client, kind CredentialKind, id string) error {
	s.why = string(kind) + " " + id
	digest, found := takeCredential(client, kind, id)
	i := findSpent(client, id)
	switch {
	case found && i < 0:
		client.Spent = append(client.Spent, registry.Spent{ID: id, Digest: digest, Revoked: c.now})
	case i < 0:
		return noCredential(client, kind, id)
	case client.Spent[i].Revoked.IsZero():
		client.Spent[i].Revoked = c.now
	}
	return nil
}

// sortOf is the sort of the client's credential of that id; a secret where it has
// none.
func sortOf(client *registry.Client, id string) CredentialKind {
	for _, k := range credentialKinds {
		if hasCredential(client, k.kind, id) {
			return k.kind
		}
	}
	return CredentialSecret
}

// takeCredential takes a credential out of a client, and gives the digest of its
// value.
func takeCredential(c *registry.Client, kind CredentialKind, id string) (digest string, found bool) {
	switch kind {
	case CredentialSecret:
		if i := findSecret(c, id); i >= 0 {
			digest, found = c.Secrets[i].Hash, true
			c.Secrets = slices.Delete(c.Secrets, i, i+1)
		}
	case CredentialKey:
		if isKeysURI(c, id) {
			c.JWKSURI = ""
			return "", true // the id is made of the URI: there is nothing else to know it by
		}
		if i := findKey(c, id); i >= 0 {
			digest, found = c.Keys[i].Digest(), true
			c.Keys = slices.Delete(c.Keys, i, i+1)
		}
	case CredentialCertificate:
		if i := findCertificate(c, id); i >= 0 {
			digest, found = c.Certificates[i].Digest(), true
			c.Certificates = slices.Delete(c.Certificates, i, i+1)
		}
	}
	return digest, found
}

func hasCredential(c *registry.Client, kind CredentialKind, id string) bool {
	switch kind {
	case CredentialSecret:
		return findSecret(c, id) >= 0
	case CredentialKey:
		return findKey(c, id) >= 0 || isKeysURI(c, id)
	}
	return findCertificate(c, id) >= 0
}

// nextCredentialID is the first of s1, s2, … (k1, … of a key, c1, … of a
// certificate) that was never used.
func nextCredentialID(c *registry.Client, kind CredentialKind) string {
	letter := ""
	for _, k := range credentialKinds {
		if k.kind == kind {
			letter = k.letter
		}
	}
	used := c.CredentialIDs()
	for n := 1; ; n++ {
		id := fmt.Sprintf("%s%d", letter, n)
		if !slices.Contains(used, id) && findSpent(c, id) < 0 {
			return id
		}
	}
}

func noCredential(client *registry.Client, kind CredentialKind, id string) error {
	return &Error{Code: NotFound, Message: fmt.Sprintf("client %s has no %s %q", client.ID, kind, id),
		Fix: fmt.Sprintf("`symbolon client %s list %s` shows what it has", kind, client.ID)}
}

func findSecret(c *registry.Client, id string) int {
	return slices.IndexFunc(c.Secrets, func(s registry.Secret) bool { return s.ID == id })
}

func findKey(c *registry.Client, id string) int {
	return slices.IndexFunc(c.Keys, func(k registry.ClientKey) bool { return k.ID == id })
}

func findCertificate(c *registry.Client, id string) int {
	return slices.IndexFunc(c.Certificates, func(cert registry.Certificate) bool { return cert.ID == id })
}

func findSpent(c *registry.Client, id string) int {
	return slices.IndexFunc(c.Spent, func(s registry.Spent) bool { return s.ID == id })
}

// isKeysURI reports whether the id is that of the client's jwks_uri.
func isKeysURI(c *registry.Client, id string) bool {
	return c.JWKSURI != "" && strings.HasPrefix(id, "uri-") && id == registry.JWKSURICredential(c.JWKSURI)
}
