package main

import (
	"maps"
	"slices"

	"github.com/symbolon/symbolon/internal/registry"
)

// vendor is what dev stands in for: templates of the declarative file, of the
// variables that the vendor's programs read, of lines to try, and of arguments of
// curl for a request that is refused, all executed with a *standIn.
type vendor struct {
	name    string // as people say it
	port    int    // unless another is asked for
	state   string
	env     string
	lines   string
	refused string
}

var vendors = map[string]vendor{
	registry.DialectOkta:   {"Okta", 9443, oktaState, oktaEnv, oktaLines, oktaRefused},
	registry.DialectAuth0:  {"Auth0", 9444, auth0State, auth0Env, auth0Lines, auth0Refused},
	registry.DialectCurity: {"the Curity Identity Server", 9445, curityState, curityEnv, curityLines, curityRefused},
	registry.DialectSimple: {"the simple token server", 2600, simpleState, simpleEnv, simpleLines, simpleRefused},
}

// dialects are the vendors' ids, sorted.
func dialects() []string { return slices.Sorted(maps.Keys(vendors)) }

// The set has one name whatever the dialect: a data directory may be used with one
// after the other. Every client has a name of its own for the same reason.
const (
	stateHead = `# What symbolon dev --dialect has made: it is written anew at each start.
set: dev
`
	// stateClient are the credentials of every sample client.
	stateClient = `    secrets: [{id: s1, value_from: {file: client.secret}}]
    keys: [{id: k1, pem_file: client.pub}]
`
	stateOperators = `operators:
  - {id: ann, name: Ann Example, email: ann@example.com, role: admin}
`
	// envCA comes last: Node reads it only from what its process was started with,
	// not from what a program loads.
	envCA = `# Node itself.
NODE_EXTRA_CA_CERTS={{file "ca.pem"}}
`
)

const oktaState = stateHead + `issuers:
  - {id: okta, url: "{{.URL}}", dialect: okta}
  - {id: okta-default, url: "{{.URL}}/oauth2/default", dialect: okta, audience: "api://default"}
apis:
  - id: okta-api
    issuer: okta-default
    name: Sample API
    identifier: api://default
    scopes: {api.read: Read}
clients:
  - id: okta-demo
    name: Sample client
    issuers: [okta, okta-default]
` + stateClient + `    access:
      okta-api: [api.read]
      okta-management:{{range .ManagementScopes}}
        - {{.}}{{end}}
resource_servers:
  - {api: okta-api, client: okta-demo}
` + stateOperators + `operator_tokens:
  - {id: okta-demo, role: operator, issuers: [okta], ssws: true, value_from: {file: operator.token}}
`

// A variable has one meaning in a file. Above each group stands who reads it: where
// the SDKs read none by themselves, the names are those of the vendor's examples.
const oktaEnv = `# The programs of Okta's guide to client credentials in Node: an API that checks
# tokens, and a client of it.
ISSUER={{.URL}}/oauth2/default
TEST_CLIENT_ID=okta-demo
TEST_CLIENT_SECRET={{.Secret}}
SCOPE=api.read
# The same guide: the management API, with an API token.
ORG_URL={{.URL}}
TOKEN={{.Token}}
# Okta's SDKs, by themselves: the same.
OKTA_CLIENT_ORGURL={{.URL}}
OKTA_CLIENT_TOKEN={{.Token}}
# Okta's guide to DPoP in Node: the management API, with a key pair; the second pair
# is for the proofs.
OKTA_ORG_URL={{.URL}}
OKTA_CLIENT_ID=okta-demo
OKTA_SCOPES=okta.users.read
OKTA_CC_PRIVATE_KEY_FILE={{file "client.key"}}
OKTA_DPOP_PRIVATE_KEY_FILE={{file "dpop.key"}}
OKTA_DPOP_PUBLIC_KEY_FILE={{file "dpop.json"}}
` + envCA

const oktaLines = `  ACCESS=$(curl -s --cacert "$NODE_EXTRA_CA_CERTS" -u "$TEST_CLIENT_ID:$TEST_CLIENT_SECRET" -d grant_type=client_credentials -d "scope=$SCOPE" "$ISSUER/v1/token" | {{token "access_token"}})
  echo "$ACCESS" | SSL_CERT_FILE="$NODE_EXTRA_CA_CERTS" {{.Name}} inspect --issuer "$ISSUER" --audience api://default
  curl -s --cacert "$NODE_EXTRA_CA_CERTS" -H "Authorization: SSWS $TOKEN" "$ORG_URL/api/v1/users"
  SSL_CERT_FILE="$NODE_EXTRA_CA_CERTS" {{.Name}} call --issuer "$OKTA_ORG_URL" --client "$OKTA_CLIENT_ID" --key "$OKTA_CC_PRIVATE_KEY_FILE" --dpop --scope "$OKTA_SCOPES" "$OKTA_ORG_URL/api/v1/users"
`

const oktaRefused = `-u "$TEST_CLIENT_ID:wrong" -d grant_type=client_credentials "$ISSUER/v1/token"`

const auth0State = stateHead + `issuers:
  - {id: auth0, url: "{{.URL}}", dialect: auth0}
apis:
  - id: auth0-api
    issuer: auth0
    name: Sample API
    identifier: https://api.example.test
    scopes: {"list:users": List users}
clients:
  - id: auth0-demo
    name: Sample client
    issuers: [auth0]
` + stateClient + `    access: {auth0-api: ["list:users"]}
  - id: auth0-demo-management
    name: Sample client of the management API
    issuers: [auth0]
    secrets: [{id: s1, value_from: {file: management.secret}}]
    access:
      auth0-management:{{range .ManagementScopes}}
        - {{.}}{{end}}
` + stateOperators

const auth0Env = `# Auth0's examples in Node: an API that checks tokens, and a client of it.
AUTH0_DOMAIN={{.Host}}
AUTH0_AUDIENCE=https://api.example.test
AUTH0_SCOPE=list:users
CLIENT_ID=auth0-demo
CLIENT_SECRET={{.Secret}}
# Many programs: the same client.
AUTH0_CLIENT_ID=auth0-demo
AUTH0_CLIENT_SECRET={{.Secret}}
# express-oauth2-jwt-bearer, by itself: the same API.
ISSUER_BASE_URL={{.URL}}/
AUDIENCE=https://api.example.test
# Auth0's examples of the Management API: another client, which has access to it.
MGMT_CLIENT_ID=auth0-demo-management
MGMT_CLIENT_SECRET={{.Management}}
` + envCA

const auth0Lines = `  ACCESS=$(curl -s --cacert "$NODE_EXTRA_CA_CERTS" -H 'Content-Type: application/json' -d "{\"grant_type\":\"client_credentials\",\"client_id\":\"$CLIENT_ID\",\"client_secret\":\"$CLIENT_SECRET\",\"audience\":\"$AUTH0_AUDIENCE\"}" "https://$AUTH0_DOMAIN/oauth/token" | {{token "access_token"}})
  echo "$ACCESS" | SSL_CERT_FILE="$NODE_EXTRA_CA_CERTS" {{.Name}} inspect --issuer "https://$AUTH0_DOMAIN/" --audience "$AUTH0_AUDIENCE"
  MGMT=$(curl -s --cacert "$NODE_EXTRA_CA_CERTS" -d grant_type=client_credentials -d "client_id=$MGMT_CLIENT_ID" -d "client_secret=$MGMT_CLIENT_SECRET" -d "audience=https://$AUTH0_DOMAIN/api/v2/" "https://$AUTH0_DOMAIN/oauth/token" | {{token "access_token"}})
  curl -s --cacert "$NODE_EXTRA_CA_CERTS" -H "Authorization: Bearer $MGMT" "https://$AUTH0_DOMAIN/api/v2/clients"
`

const auth0Refused = `-d grant_type=client_credentials -d "client_id=$CLIENT_ID" -d client_secret=wrong -d "audience=$AUTH0_AUDIENCE" "https://$AUTH0_DOMAIN/oauth/token"`

const curityState = stateHead + `issuers:
  - {id: curity, url: "{{.URL}}/oauth/v2/oauth-anonymous", dialect: curity}
apis:
  - id: curity-api
    issuer: curity
    name: Sample API
    identifier: api.example.com
    scopes: {read: Read}
clients:
  - id: curity-demo
    name: Sample client
    issuers: [curity]
` + stateClient + `    access: {curity-api: [read]}
    claims: {role: batch}
resource_servers:
  - {api: curity-api, client: curity-demo}
` + stateOperators

const curityEnv = `# Programs after Curity's guides: an API that checks tokens, and a client of it.
# No library of Curity reads variables by itself.
CURITY_ISSUER={{.URL}}/oauth/v2/oauth-anonymous
CURITY_AUDIENCE=api.example.com
CURITY_TOKEN_URL={{.URL}}/oauth/v2/oauth-token
JWKS_URI={{.URL}}/oauth/v2/oauth-anonymous/jwks
CLIENT_ID=curity-demo
CLIENT_SECRET={{.Secret}}
SCOPE=read
` + envCA

const curityLines = `  ACCESS=$(curl -s --cacert "$NODE_EXTRA_CA_CERTS" -d grant_type=client_credentials -d "client_id=$CLIENT_ID" -d "client_secret=$CLIENT_SECRET" -d "scope=$SCOPE" "$CURITY_TOKEN_URL" | {{token "access_token"}})
  echo "$ACCESS" | SSL_CERT_FILE="$NODE_EXTRA_CA_CERTS" {{.Name}} inspect --issuer "$CURITY_ISSUER" --audience "$CURITY_AUDIENCE"
  curl -s --cacert "$NODE_EXTRA_CA_CERTS" -u "$CLIENT_ID:$CLIENT_SECRET" -d "token=$ACCESS" "${CURITY_TOKEN_URL%token}introspect"
`

const curityRefused = `-d grant_type=client_credentials -d "client_id=$CLIENT_ID" -d client_secret=wrong "$CURITY_TOKEN_URL"`

const simpleState = stateHead + `issuers:
  - {id: simple, url: "{{.URL}}", dialect: simple}
apis:
  - id: simple-api
    issuer: simple
    name: Sample API
    identifier: https://api.example.com
    scopes: {read: Read}
clients:
  - id: simple-demo
    name: Sample client
    issuers: [simple]
` + stateClient + `    access: {simple-api: [read]}
` + stateOperators

const simpleEnv = `# The programs of the tutorials: a client, and an API that asks whether a token is good.
TOKEN_SERVER_URL={{.URL}}
CLIENT_ID=simple-demo
CLIENT_SECRET={{.Secret}}
` + envCA

const simpleLines = `  ACCESS=$(curl -s --cacert "$NODE_EXTRA_CA_CERTS" -d "client_id=$CLIENT_ID" -d "client_secret=$CLIENT_SECRET" "$TOKEN_SERVER_URL/authorize" | {{token "token"}})
  curl -s --cacert "$NODE_EXTRA_CA_CERTS" -X POST -H "Authorization: $ACCESS" "$TOKEN_SERVER_URL/verify"
`

const simpleRefused = `-d "client_id=$CLIENT_ID" -d client_secret=wrong "$TOKEN_SERVER_URL/authorize"`
