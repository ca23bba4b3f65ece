package server

import (
	"net/http"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
)

// serveMetadata answers all four forms of the issuer's metadata with the same
// document (RFC 8414 §3.2). It holds what both texts ask for.
func (s *Server) serveMetadata(at Place, w http.ResponseWriter, r *http.Request) error {
	docs, err := s.published(at, w, r)
	if err != nil {
		return err
	}
	docs.metadata.serve(w, r)
	return nil
}

// metadataOf makes the document of RFC 8414 §2. An endpoint is in it when it works.
func (c *Config) metadataOf(v *registry.IssuerView) symbolon.ServerMetadata {
	m := symbolon.ServerMetadata{
		// RFC 8414 §3.3: identical, octet by octet, to what the URL was made of.
		Issuer: v.Iss,
		// It only refuses: some clients cannot read a document without it.
		AuthorizationEndpoint: v.Iss + "/authorize",
		TokenEndpoint:         v.Iss + "/token",
		JWKSURI:               v.Iss + "/jwks",
		ScopesSupported:       v.Scopes(),
		// RFC 8414 §3.2 wants arrays with zero elements left out, §2 wants this
		// member: the second is what parsers check.
		ResponseTypesSupported: []string{},
		GrantTypesSupported:    []string{symbolon.GrantClientCredentials},
		// OpenID Connect Discovery §3 demands both; libraries read the second to
		// know with what access tokens may be signed.
		SubjectTypesSupported: []string{"public"},
		RevocationsURI:        v.Iss + "/revocations",
		RevocationsJWKSURI:    v.Iss + "/revocations/keys",
	}
	m.IDTokenSigningAlgorithms = names(v.Algorithms())
	// RFC 8414 §2 demands the first beside private_key_jwt; RFC 9449 §5.1.
	m.TokenAuthSigningAlgs = names(v.AssertionAlgorithms())
	m.DPoPSigningAlgs = m.TokenAuthSigningAlgs
	m.IntrospectionEndpoint, m.IntrospectionSigningAlgs = v.Iss+pathIntrospect, m.IDTokenSigningAlgorithms
	alias, certificates := c.certificates(v.Iss)
	if m.TokenAuthMethods = c.methods(v, certificates); certificates {
		m.CertificateBound = true // RFC 8705 §3.3
	}
	if alias != "" {
		m.MTLSAliases = &symbolon.MTLSAliases{TokenEndpoint: alias + "/token", IntrospectionEndpoint: alias + pathIntrospect} // RFC 8705 §5
	}
	// RFC 8414 §2: clients authenticate alike at all endpoints.
	m.IntrospectionAuthMethods, m.IntrospectionAuthAlgs = m.TokenAuthMethods, m.TokenAuthSigningAlgs
	if c.Revoker != nil {
		m.RevocationEndpoint = v.Iss + pathRevoke
		m.RevocationAuthMethods, m.RevocationAuthAlgs = m.TokenAuthMethods, m.TokenAuthSigningAlgs
		if m.MTLSAliases != nil {
			m.MTLSAliases.RevocationEndpoint = alias + pathRevoke
		}
	}
	return m
}

// methods are the ways in which a client can authenticate at the issuer. A
// method by certificate is one where a certificate can reach us, and the one of
// RFC 8705 §2.1 where there is a root for it to lead to.
func (c *Config) methods(v *registry.IssuerView, certificates bool) (list []string) {
	if !v.FAPI2() { // FAPI 2.0 §5.3.2.1 leaves keys and certificates
		list = append(list, symbolon.AuthSecretBasic, symbolon.AuthSecretPost)
	}
	list = append(list, symbolon.AuthPrivateKeyJWT)
	if certificates && c.ClientCAs != nil {
		list = append(list, symbolon.AuthTLSClient)
	}
	if certificates {
		list = append(list, symbolon.AuthSelfSignedTLS)
	}
	return list
}

func (c *Config) certificates(iss string) (alias string, ok bool) {
	if c.Certificates == nil {
		return "", false
	}
	return c.Certificates(iss)
}

func names(algorithms []jose.Algorithm) (list []string) {
	for _, alg := range algorithms {
		list = append(list, string(alg))
	}
	return list
}
