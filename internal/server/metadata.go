package server

import (
	"net/http"

	"github.com/symbolon/symbolon"
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
func metadataOf(v *registry.IssuerView) symbolon.ServerMetadata {
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
		TokenAuthMethods:       []string{symbolon.AuthSecretBasic, symbolon.AuthSecretPost},
		// OpenID Connect Discovery §3 demands both; libraries read the second to
		// know with what access tokens may be signed.
		SubjectTypesSupported: []string{"public"},
	}
	for _, alg := range v.Algorithms() {
		m.IDTokenSigningAlgorithms = append(m.IDTokenSigningAlgorithms, string(alg))
	}
	return m
}
