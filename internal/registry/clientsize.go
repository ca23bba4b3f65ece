package registry

import (
	"encoding/json"
	"slices"
)

// clientSize bounds the document of a client. before is the client as it was; nil:
// it is new. What takes something away is never refused for the length of the
// document, though it leaves a little there: who disabled the client, when a
// credential was revoked. Else whoever fills a document could not be stopped.
func (p *problems) clientSize(before, after *Client) {
	doc, err := json.Marshal(after)
	if err != nil || len(doc) <= MaxClientDoc || !takesOnly(before, after) {
		p.size(after, MaxClientDoc)
	}
}

// takesOnly reports whether the client has no credential that it did not have, and
// otherwise not more than it had. So what is left of credentials cannot grow
// without end either: each was one of a document within its bound.
func takesOnly(before, after *Client) bool {
	if before == nil {
		return false
	}
	return !after.GainsCredential(before) && lengthOfRest(after) <= lengthOfRest(before)
}

// CredentialIDs are the ids of the client's credentials of all sorts: a jwks_uri is
// one credential.
func (c *Client) CredentialIDs() (ids []string) {
	for i := range c.Secrets {
		ids = append(ids, c.Secrets[i].ID)
	}
	for i := range c.Keys {
		ids = append(ids, c.Keys[i].ID)
	}
	for i := range c.Certificates {
		ids = append(ids, c.Certificates[i].ID)
	}
	if c.JWKSURI != "" {
		ids = append(ids, JWKSURICredential(c.JWKSURI))
	}
	return ids
}

// GainsCredential reports whether the client has a credential that it did not have
// before.
func (c *Client) GainsCredential(before *Client) bool {
	had := before.CredentialIDs()
	return slices.ContainsFunc(c.CredentialIDs(), func(id string) bool { return !slices.Contains(had, id) })
}

// lengthOfRest is the length of the document without what is left of what was
// taken away.
func lengthOfRest(c *Client) int {
	rest := *c
	rest.State, rest.StateBy, rest.Spent = "", "", nil
	doc, _ := json.Marshal(&rest) // what cannot be written is refused by size
	return len(doc)
}
