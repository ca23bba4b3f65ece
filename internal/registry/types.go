// Package registry holds the domain: issuers, APIs, clients, credentials,
// keys, operators and denials as plain types, the rules that make them valid,
// and the decision about a token request. It does no I/O and reads no clock:
// what depends on time takes the time.
package registry

import (
	"encoding/json"
	"time"
)

// Kinds of objects, as the store names them. All but clients are small: a node
// holds them whole in memory.
const (
	KindIssuer   = "issuer"
	KindAPI      = "api"
	KindClient   = "client"
	KindKey      = "key"
	KindOperator = "operator"
	KindDenial   = "denial"

	KindOperatorToken = "operator_token"
)

// DocVersion is the version of documents that this build writes. A document
// carries it as v, and as min the oldest version that may use it.
const DocVersion = 1

// Meta is what every document carries besides its own members.
type Meta struct {
	V         int       `json:"v"`
	Min       int       `json:"min"`
	ManagedBy string    `json:"managed_by,omitempty"` // the set of the declarative file that owns the object
	Created   time.Time `json:"created,omitzero"`
	Updated   time.Time `json:"updated,omitzero"`
}

// DefaultIssuer is the id of the first issuer: its URL is the server's own.
const DefaultIssuer = "default"

// Profiles of an issuer.
const (
	ProfileStandard = "standard"
	ProfileFAPI2    = "fapi2" // FAPI 2.0 Security Profile for client credentials: keys or certificates, bound tokens
)

// Whether a DPoP proof must hold a nonce of the server's (RFC 9449 §8, §9).
const (
	NonceRequired = "required"
	NonceOff      = "off"
)

// What an issuer does while the memory of used assertions and proofs that its
// nodes share is away.
const (
	ReplayStrict = "strict" // it refuses what needs that memory
	ReplayLocal  = "local"  // each node goes by its own
)

// Dialects: the vendors whose programs an issuer serves unmodified. What each of
// them expects stands in package dialect.
const (
	DialectOkta   = "okta"
	DialectAuth0  = "auth0"
	DialectCurity = "curity"
	DialectSimple = "simple"
)

// SuffixClients is what Auth0 has behind the client's id in the sub of tokens that a
// program gets for itself. No client's id has an @.
const SuffixClients = "@clients"

// Issuer is an iss URL with its own signing keys and token defaults.
type Issuer struct {
	Meta
	ID       string      `json:"id"`
	URL      string      `json:"url,omitempty"` // absolute, without a final slash; empty: the server's URL (default issuer) or that URL/id
	Token    IssuerToken `json:"token,omitzero"`
	Profile  string      `json:"profile,omitempty"`  // ProfileStandard when empty; ProfileFAPI2
	Dialect  string      `json:"dialect,omitempty"`  // whose programs it serves, for ever; empty: those of the standards
	Audience string      `json:"audience,omitempty"` // identifier of the API that is meant when a request names none
	// SubjectSuffix stands behind the client's id in the sub of tokens: SuffixClients,
	// or nothing. Who the client is, its id alone says.
	SubjectSuffix string `json:"subject_suffix,omitempty"`
	// DPoPNonce says whether proofs at the token endpoint need a nonce; empty:
	// NonceRequired.
	DPoPNonce string      `json:"dpop_nonce,omitempty"`
	Replay    string      `json:"replay,omitempty"` // ReplayStrict when empty; ReplayLocal
	Keys      KeySchedule `json:"keys,omitzero"`
}

// IssuerToken are the defaults of an issuer's tokens.
type IssuerToken struct {
	Lifetime Duration `json:"lifetime,omitempty"` // zero: DefaultLifetime
}

// KeySchedule says how an issuer's signing keys change by themselves.
type KeySchedule struct {
	Rotate   Duration `json:"rotate,omitempty"`   // how long a key signs; zero: DefaultRotate
	Announce Duration `json:"announce,omitempty"` // how long it is published before; zero: DefaultAnnounce, at least MinAnnounce
}

// Defaults and bounds.
const (
	DefaultLifetime = Duration(time.Hour)
	MaxLifetime     = Duration(24 * time.Hour)
	DefaultRotate   = Duration(90 * 24 * time.Hour)
	DefaultAnnounce = Duration(24 * time.Hour)
	MinAnnounce     = Duration(time.Hour) // verifiers cache a key set for an hour, whatever its headers say
	MaxClientDoc    = 64 << 10            // octets of a client's document; what takes away may make it longer
)

// Token formats of an API.
const (
	FormatJWT    = "jwt"    // signed claims, which the API checks by itself (RFC 9068)
	FormatOpaque = "opaque" // sealed claims, which the API asks the issuer for (RFC 7662)
)

// API is a protected resource of one issuer (RFC 8707): the aud of its tokens.
type API struct {
	Meta
	ID         string           `json:"id"`
	Issuer     string           `json:"issuer"`
	Identifier string           `json:"identifier"` // absolute URI without fragment, or a legacy string that only audience= reaches
	Name       string           `json:"name,omitempty"`
	Scopes     map[string]Scope `json:"scopes,omitempty"`
	Token      APIToken         `json:"token,omitzero"`
	Bound      string           `json:"bound,omitempty"` // BoundOptional when empty

	// DPoPNonce says whether proofs at the API need a nonce; empty: NonceOff. It is
	// written down for the API, which gives the nonces and must be configured to:
	// resource.Config.NonceKey. Nothing here acts on it.
	DPoPNonce string `json:"dpop_nonce,omitempty"`

	// ResourceServers are the ids of the clients that may ask the issuer about
	// tokens of this API (RFC 7662 §2.1). Nobody else may.
	ResourceServers []string `json:"resource_servers,omitempty"`
}

// Bound says whether tokens must be bound to a key of the client, and how.
const (
	BoundOptional = "optional"
	BoundRequired = "required" // in any way
	BoundDPoP     = "dpop"     // RFC 9449
	BoundMTLS     = "mtls"     // RFC 8705 §3
)

// Scope is one scope value of an API. In JSON it may also be given as a
// string, which is the description.
type Scope struct {
	Description string `json:"description,omitempty"`
	Default     bool   `json:"default,omitempty"` // given when a request names no scope
}

// APIToken says what an API's tokens look like.
type APIToken struct {
	Format    string   `json:"format,omitempty"`    // FormatJWT when empty; FormatOpaque
	Lifetime  Duration `json:"lifetime,omitempty"`  // zero: the issuer's
	Algorithm string   `json:"algorithm,omitempty"` // of a JWT: ES256 when empty; ES256 ES384 PS256 RS256 EdDSA
	Typ       string   `json:"typ,omitempty"`       // of a JWT: "at+jwt" when empty; "JWT" for old verifiers
}

// States of a client.
const (
	StateActive   = "active"
	StateDisabled = "disabled"
	StatePending  = "pending"
)

// Client is a program that may ask for tokens: one document with its
// credentials and its access.
type Client struct {
	Meta
	ID              string                     `json:"id"` // [A-Za-z0-9._~-]{1,128}
	Name            string                     `json:"name,omitempty"`
	Owner           string                     `json:"owner,omitempty"`
	Labels          map[string]string          `json:"labels,omitempty"`
	State           string                     `json:"state"`
	StateBy         string                     `json:"state_by,omitempty"` // who disabled it: an actor, or "prune:<set>", which the set may undo
	Issuers         []string                   `json:"issuers,omitempty"`  // where it may authenticate; empty: the default issuer
	Bound           string                     `json:"bound,omitempty"`    // BoundOptional when empty
	Secrets         []Secret                   `json:"secrets,omitempty"`
	Keys            []ClientKey                `json:"keys,omitempty"`
	JWKSURI         string                     `json:"jwks_uri,omitempty"` // where the client publishes its keys: one credential, JWKSURICredential
	Certificates    []Certificate              `json:"certificates,omitempty"`
	LegacyAssertion *LegacyAssertion           `json:"legacy_assertion,omitempty"`
	Auth            []string                   `json:"auth,omitempty"`        // narrows the methods that follow from the credentials
	Access          map[string][]string        `json:"access,omitempty"`      // API id → scopes
	DefaultAPI      OneOrMore                  `json:"default_api,omitempty"` // API ids, at most one per issuer
	Claims          map[string]json.RawMessage `json:"claims,omitempty"`      // fixed extra claims
	Spent           []Spent                    `json:"spent,omitempty"`       // ids and digests that may never be used again
}

// Secret is a credential of the kind secret: only its hash is kept.
type Secret struct {
	ID      string    `json:"id"`
	Hash    string    `json:"hash"` // "sha256:<hex>" of a generated secret, "argon2id:…" of an imported one
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
	// ManagedBy is the set of the declarative file that put it there and may
	// remove it; empty: it was added by hand.
	ManagedBy string `json:"managed_by,omitempty"`
}

// Spent marks a credential id of a client as used: a credential that was
// removed or revoked never comes back under its id, and a revoked one not by
// its value either.
type Spent struct {
	ID      string    `json:"id"`
	Digest  string    `json:"digest,omitempty"` // of a revoked credential's value
	Revoked time.Time `json:"revoked,omitzero"` // zero: it was removed at the end of a rotation
}

// Key is a signing key of an issuer. What it is at a given time follows from
// its times, so that all nodes change over at the same moment.
type Key struct {
	Meta
	ID        string          `json:"id"` // kid
	Issuer    string          `json:"issuer"`
	Algorithm string          `json:"algorithm"`
	Public    json.RawMessage `json:"public"`             // JWK
	Private   string          `json:"private,omitempty"`  // sealed PKCS#8, base64url; gone when revoked
	Announced time.Time       `json:"announced"`          // published since
	Activates time.Time       `json:"activates,omitzero"` // signs from; zero: not planned yet
	Retires   time.Time       `json:"retires,omitzero"`   // signs until; zero: not planned yet
	Deletes   time.Time       `json:"deletes,omitzero"`   // published until; zero: not planned yet
	Revoked   time.Time       `json:"revoked,omitzero"`   // leaked: not published any more
	Longest   Duration        `json:"longest,omitempty"`  // longest life of a token since it was announced: how long it outlasts its retirement
}

// Roles of an operator.
const (
	RoleViewer   = "viewer"
	RoleOperator = "operator"
	RoleAdmin    = "admin"
)

// Operator is a person who administers.
type Operator struct {
	Meta
	ID    string `json:"id"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Role  string `json:"role"`
}

// OperatorToken is the power of an operator in the hands of a program, in some
// organisations alone: what a vendor's programs send as SSWS. It never hands power
// on (no access to administration, no operators, no tokens of this kind).
type OperatorToken struct {
	Meta
	ID      string    `json:"id"`
	Name    string    `json:"name,omitempty"`
	Role    string    `json:"role"`
	Issuers []string  `json:"issuers"`          // where it is taken, at least one; it reaches their organisations
	SSWS    bool      `json:"ssws,omitempty"`   // taken with the scheme SSWS where programs for Okta administer
	Expires time.Time `json:"expires,omitzero"` // zero: never
	Hash    string    `json:"hash"`             // "sha256:<hex>" of the value
}

// What a denial names.
const (
	DenyClient     = "client"     // tokens of the client with gen < n
	DenyClientAPI  = "client_api" // tokens of the client at the API with gen < n
	DenyIssuer     = "issuer"     // tokens of the issuer with gen < n
	DenyCredential = "credential" // tokens got with the credential
	DenyJTI        = "jti"        // the one token
	DenyKID        = "kid"        // tokens signed with the key
)

// Denial is an entry of the revocation set. Its id is made of what it names
// (DenialID), so that a later denial of the same thing replaces it with a
// higher n.
type Denial struct {
	Meta
	ID         string    `json:"id"`
	What       string    `json:"what"`
	Issuer     string    `json:"issuer,omitempty"` // of a DenyClient: the one that it is for, where the client gets no more tokens
	Client     string    `json:"client,omitempty"`
	API        string    `json:"api,omitempty"`
	Audience   string    `json:"audience,omitempty"` // identifier of API, which may be gone while its tokens live
	Credential string    `json:"credential,omitempty"`
	JTI        string    `json:"jti,omitempty"`
	KID        string    `json:"kid,omitempty"`
	N          int64     `json:"n"` // epoch·2⁴⁰ + the commit that holds it
	Expires    time.Time `json:"expires"`
	// Issuers are those that a DenyClient without Issuer and a DenyCredential
	// concern: where the client got tokens. None: all, which is so of one whose
	// client nobody knew.
	Issuers []string `json:"issuers,omitempty"`
	// Merged are the pending denials that became this one.
	Merged []MergedDenial `json:"merged,omitempty"`

	// Commit is the number of the commit that wrote it. It is known in a
	// Snapshot alone.
	Commit int64 `json:"-"`
}

// MergedDenial is a denial that a node kept in its journal while the store was
// away. Validators may still hold it until it expires.
type MergedDenial struct {
	ID      string    `json:"id"`
	Expires time.Time `json:"expires"`
}
