package symbolon

// ServerMetadata is the metadata document of an issuer (RFC 8414 §2), with the
// members that libraries for OpenID Connect Discovery read for access tokens.
type ServerMetadata struct {
	Issuer                   string   `json:"issuer"`
	AuthorizationEndpoint    string   `json:"authorization_endpoint,omitempty"`
	TokenEndpoint            string   `json:"token_endpoint,omitempty"`
	JWKSURI                  string   `json:"jwks_uri,omitempty"`
	ScopesSupported          []string `json:"scopes_supported,omitempty"`
	ResponseTypesSupported   []string `json:"response_types_supported"`
	GrantTypesSupported      []string `json:"grant_types_supported,omitempty"`
	TokenAuthMethods         []string `json:"token_endpoint_auth_methods_supported,omitempty"`
	TokenAuthSigningAlgs     []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	SubjectTypesSupported    []string `json:"subject_types_supported,omitempty"`
	IDTokenSigningAlgorithms []string `json:"id_token_signing_alg_values_supported,omitempty"`
	DPoPSigningAlgs          []string `json:"dpop_signing_alg_values_supported,omitempty"` // RFC 9449 §5.1

	IntrospectionEndpoint    string   `json:"introspection_endpoint,omitempty"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported,omitempty"`
	IntrospectionAuthAlgs    []string `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`
	IntrospectionSigningAlgs []string `json:"introspection_signing_alg_values_supported,omitempty"` // RFC 9701 §7
	RevocationEndpoint       string   `json:"revocation_endpoint,omitempty"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported,omitempty"`
	RevocationAuthAlgs       []string `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`

	// Where the issuer publishes what it denies, and the keys that sign it: ours,
	// see docs/revocation-set.md.
	RevocationsURI     string `json:"symbolon_revocations_uri,omitempty"`
	RevocationsJWKSURI string `json:"symbolon_revocations_jwks_uri,omitempty"`

	// RFC 8705 §3.3, §5: where clients connect that present a certificate.
	CertificateBound bool         `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	MTLSAliases      *MTLSAliases `json:"mtls_endpoint_aliases,omitempty"`
}

// MTLSAliases are the endpoints under which a server asks for a client's
// certificate (RFC 8705 §5).
type MTLSAliases struct {
	TokenEndpoint         string `json:"token_endpoint,omitempty"`
	IntrospectionEndpoint string `json:"introspection_endpoint,omitempty"`
	RevocationEndpoint    string `json:"revocation_endpoint,omitempty"`
}

// ResourceMetadata is the metadata document of a protected resource
// (RFC 9728 §2).
type ResourceMetadata struct {
	Resource               string   `json:"resource"`
	AuthorizationServers   []string `json:"authorization_servers,omitempty"`
	ScopesSupported        []string `json:"scopes_supported,omitempty"`
	BearerMethodsSupported []string `json:"bearer_methods_supported,omitempty"`
	ResourceName           string   `json:"resource_name,omitempty"`
	CertificateBound       bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	DPoPSigningAlgs        []string `json:"dpop_signing_alg_values_supported,omitempty"`
	DPoPRequired           bool     `json:"dpop_bound_access_tokens_required,omitempty"`
}

// Well-known path suffixes (RFC 8414 §3, RFC 9728 §3, OpenID Connect
// Discovery §4).
const (
	WellKnownServer   = "/.well-known/oauth-authorization-server"
	WellKnownOpenID   = "/.well-known/openid-configuration"
	WellKnownResource = "/.well-known/oauth-protected-resource"
)

// TokenAnswer is the successful answer of a token endpoint (RFC 6749 §5.1).
type TokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
}

// ErrorAnswer is the answer of a server that refuses (RFC 6749 §5.2).
type ErrorAnswer struct {
	Error            Code   `json:"error"`
	ErrorDescription string `json:"error_description,omitempty"`
}
