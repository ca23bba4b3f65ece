package registry

import (
	"slices"

	"github.com/symbolon/symbolon"
)

// FitClient says what keeps the client from being used as its document says: a
// method without a credential, a profile that none of its credentials meets or
// that another of its issuers undermines, a binding that no request has. It is a Problems or nil. Nothing of it is
// dangerous, and each can come about because something else is taken away; so a
// change is refused for it only where that change brings it about, and never
// when it takes a credential back.
func FitClient(v View, c *Client) error {
	p := &problems{kind: KindClient, id: c.ID}
	for _, m := range c.Auth {
		if slices.Contains(methods, m) && !c.Authenticates(m) {
			p.add(at("auth", m), "the client has no credential for this method", credentialFix[m])
		}
	}
	lenient := ""
	for _, id := range c.IssuerIDs() {
		if i := v.Issuers[id]; i != nil && i.Dialect != "" && lenient == "" {
			lenient = id
		}
	}
	for _, id := range c.IssuerIDs() {
		if i := v.Issuers[id]; i != nil && i.FAPI2() {
			p.fapiClient(c, id)
			if lenient != "" {
				p.add("issuers", "issuer "+id+" has the profile fapi2, and issuer "+lenient+" takes with the dialect "+v.Issuers[lenient].Dialect+" what it forbids",
					"make another client for one of them")
			}
		}
	}
	for _, id := range sortedKeys(c.Access) {
		api := v.APIs[id]
		if api == nil || v.Issuers[api.Issuer] == nil {
			continue
		}
		if len(demandFor(v.Issuers[api.Issuer], c, []*API{api})) == 0 {
			p.add("bound", "the client demands "+c.Bound+", its API "+id+" "+api.Bound+": no token meets both", "change bound of one of them")
		}
	}
	return p.found.Err()
}

// credentialFix says how a client comes by a credential for a method.
var credentialFix = map[string]string{
	symbolon.AuthSecretBasic:   "remove the method, or give the client a secret",
	symbolon.AuthSecretPost:    "remove the method, or give the client a secret",
	symbolon.AuthPrivateKeyJWT: "remove the method, or give the client a key or a jwks_uri",
	symbolon.AuthTLSClient:     "remove the method, or give the client a certificate's subject_dn, san_dns, san_uri, san_ip or san_email",
	symbolon.AuthSelfSignedTLS: "remove the method, or give the client its own certificate (pem_file)",
}

// fapiClient holds a client to the profile fapi2 of an issuer where it
// authenticates. A client without any credential is still in the making.
func (p *problems) fapiClient(c *Client, issuer string) {
	const because = " has the profile fapi2"
	any := len(c.Secrets)+len(c.Keys)+len(c.Certificates) > 0 || c.JWKSURI != ""
	if any && !slices.ContainsFunc(keyMethods, c.Authenticates) {
		p.add("issuers", "issuer "+issuer+because+", which takes keys and certificates alone: the client could not authenticate there",
			"give the client a key or a certificate, and let auth allow it (FAPI 2.0 §5.3.2.1)")
	}
	for i := range c.Keys {
		key := c.Keys[i].Key()
		if key != nil && key.Algorithm != "" && !slices.Contains(fapiAlgorithms, key.Algorithm) {
			p.add(at("keys", c.Keys[i].ID, "jwk"), "its algorithm is "+string(key.Algorithm)+", and issuer "+issuer+because,
				"give a key for ES256, PS256 or EdDSA (FAPI 2.0 §5.4.1)")
		}
	}
	if c.LegacyAssertion != nil {
		p.add("legacy_assertion", "issuer "+issuer+because+", which knows no such exception", "remove legacy_assertion, or issuers."+issuer)
	}
}

// profiles holds the APIs to the profiles of their issuers.
func (v View) profiles() Problems {
	var found Problems
	for _, id := range sortedKeys(v.APIs) {
		a := v.APIs[id]
		i := v.Issuers[a.Issuer]
		if i == nil || !i.FAPI2() || fapiSigns(a.SigningAlgorithm()) {
			continue
		}
		p := &problems{kind: KindAPI, id: id}
		p.add("token.algorithm", "issuer "+a.Issuer+" has the profile fapi2, which does not allow "+a.Token.Algorithm, "write ES256, PS256 or EdDSA (FAPI 2.0 §5.4.1)")
		found = append(found, p.found...)
	}
	return found
}
