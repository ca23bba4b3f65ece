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
func (c *Config) metadataOf(v *registry.IssuerView, d *Dialect) symbolon.ServerMetadata {
	p := d.Endpoints()
	m := symbolon.ServerMetadata{
		// RFC 8414 §3.3: identical, octet by octet, to what the URL was made of.
		Issuer: v.Iss,
		// It only refuses: some clients cannot read a document without it.
		AuthorizationEndpoint: p.Authorize.URL(v.Base),
		TokenEndpoint:         p.Token.URL(v.Base),
		JWKSURI:               p.JWKS.URL(v.Base),
		ScopesSupported:       v.Scopes(),
		// RFC 8414 §3.2 wants arrays with zero elements left out, §2 wants this
		// member: the second is what parsers check.
		ResponseTypesSupported: []string{},
		GrantTypesSupported:    []string{symbolon.GrantClientCredentials},
		// OpenID Connect Discovery §3 demands both; libraries read the second to
		// know with what access tokens may be signed.
		SubjectTypesSupported: []string{"public"},
		IntrospectionEndpoint: p.Introspection.URL(v.Base),
		RevocationsURI:        p.Revocations.URL(v.Base),
		RevocationsJWKSURI:    p.RevocationKeys.URL(v.Base),
	}
	m.IDTokenSigningAlgorithms = names(v.Algorithms())
	// RFC 8414 §2 demands the first beside private_key_jwt; RFC 9449 §5.1.
	m.TokenAuthSigningAlgs = names(v.AssertionAlgorithms())
	m.DPoPSigningAlgs = m.TokenAuthSigningAlgs
	alias, certificates := c.certificates(v.Base)
	if m.TokenAuthMethods = c.methods(v, certificates); certificates {
		m.CertificateBound = true // RFC 8705 §3.3
	}
	if alias != "" {
		m.MTLSAliases = &symbolon.MTLSAliases{TokenEndpoint: p.Token.URL(alias), IntrospectionEndpoint: p.Introspection.URL(alias)} // RFC 8705 §5
	}
	// RFC 8414 §2: clients authenticate alike at all endpoints.
	if m.IntrospectionEndpoint != "" {
		m.IntrospectionSigningAlgs = m.IDTokenSigningAlgorithms
		m.IntrospectionAuthMethods, m.IntrospectionAuthAlgs = m.TokenAuthMethods, m.TokenAuthSigningAlgs
	}
	if at := p.Revocation; c.Revoker != nil && at.Path != "" {
		m.RevocationEndpoint = at.URL(v.Base)
		m.RevocationAuthMethods, m.RevocationAuthAlgs = m.TokenAuthMethods, m.TokenAuthSigningAlgs
		if m.MTLSAliases != nil {
			m.MTLSAliases.RevocationEndpoint = at.URL(alias)
		}
	}
	if d != nil && d.Answer != nil {
		withoutToken(&m)
	}
	return m
}

// withoutToken leaves out what is about a token endpoint that does not answer as
// RFC 6749 §5.1 has it: whoever reads metadata could not use it. What others check
// tokens by stays.
func withoutToken(m *symbolon.ServerMetadata) {
	m.TokenEndpoint, m.TokenAuthMethods, m.TokenAuthSigningAlgs = "", nil, nil
	m.GrantTypesSupported, m.DPoPSigningAlgs = nil, nil
	if m.MTLSAliases != nil {
		m.MTLSAliases.TokenEndpoint = ""
		if *m.MTLSAliases == (symbolon.MTLSAliases{}) {
			m.MTLSAliases = nil
		}
	}
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

func (c *Config) certificates(base string) (alias string, ok bool) {
	if c.Certificates == nil {
		return "", false
	}
	return c.Certificates(base)
}

func names(algorithms []jose.Algorithm) (list []string) {
	for _, alg := range algorithms {
		list = append(list, string(alg))
	}
	return list
}
