package dialect

import (
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// auth0Unused are settings of a resource server that have to do with people: with
// their consent, their sessions and the tokens that outlast these.
var auth0Unused = []string{
	"allow_offline_access", "allow_online_access", "allow_online_access_with_ephemeral_sessions", "consent_policy",
	"skip_consent_for_verifiable_first_party_clients", "token_lifetime_for_anonymous_access_tokens", "token_lifetime_for_web",
}

// auth0Algorithms are those that Auth0 signs access tokens with and this server,
// too: there are no symmetric tokens here (HS256).
var auth0Algorithms = []string{"RS256", "PS256"}

// allAPIs are the organisation's APIs, by id.
func (c *auth0Call) allAPIs(after string, batch int) iter.Seq2[admin.API, error] {
	return everyOne(c, admin.Query{After: after, Limit: batch}, c.e.cfg.Admin.APIs)
}

func (c *auth0Call) listAPIs() (int, any, error) {
	q := readAuth0Query(c.r)
	paging, fields := q.paging(), q.fields()
	identifiers := q.atMost("identifiers", q.values["identifiers"])
	delete(q.values, "identifiers")
	q.checkpoint(paging, registry.ValidID)
	if err := q.end(); err != nil {
		return 0, nil, err
	}
	source := &auth0Source[admin.API]{
		name: "resource_servers", known: "resource_servers",
		all:  c.allAPIs,
		show: func(v admin.API) auth0Object { return fields.of(c.showAPI(v)) },
		key:  func(v admin.API) string { return v.ID },
	}
	if len(identifiers) > 0 {
		var ids []string
		for _, identifier := range identifiers {
			if api := c.Issuer.Target(identifier, true); api != nil && api.Identifier == identifier {
				ids = append(ids, api.ID)
			}
		}
		source.known = ""
		source.all = func(from string, _ int) iter.Seq2[admin.API, error] { return someOf(c, ids, from, c.api) }
	}
	list, err := source.answer(c, paging)
	return http.StatusOK, list, err
}

// api is the API of that id or, as with Auth0, of that identifier. The id comes
// first: whoever may choose an identifier must not choose which API another names.
func (c *auth0Call) api(id string) (admin.API, error) {
	named := c.apiByID(id)
	if named == nil {
		named = c.Issuer.Target(id, true)
	}
	if named == nil {
		return admin.API{}, errAuth0NoAPI
	}
	api, err := c.e.cfg.Admin.API(c.r.Context(), c.actor, named.ID)
	return api, auth0Admin(err, errAuth0NoAPI)
}

func (c *auth0Call) getAPI() (int, any, error) {
	q := readAuth0Query(c.r)
	fields := q.fields()
	if err := q.end(); err != nil {
		return 0, nil, err
	}
	api, err := c.api(c.id)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, fields.of(c.showAPI(api)), nil
}

func (c *auth0Call) createAPI() (int, any, error) {
	b, err := c.payload()
	if err != nil {
		return 0, nil, err
	}
	fresh := registry.API{Issuer: c.Issuer.ID, Identifier: b.needText("identifier", 600)}
	fresh.Token.Algorithm = auth0Algorithms[0]
	if c.apiByID(fresh.Identifier) != nil || registry.Administrative(fresh.Identifier) {
		b.refuse("identifier", "This is the id of an API: write a URI")
	}
	b.apiSettings(&fresh)
	if err := b.end(); err != nil {
		return 0, nil, err
	}
	if c.Issuer.Target(fresh.Identifier, true) != nil {
		return 0, nil, errAuth0SameAPI
	}
	made, _, err := c.e.cfg.Admin.CreateAPI(c.r.Context(), c.actor, fresh)
	if err != nil {
		return 0, nil, auth0Admin(err, nil)
	}
	return http.StatusCreated, c.showAPI(made), nil
}

// patchAPI changes an API. A scope that goes is taken from every client that has
// it, and their tokens for the API are denied.
func (c *auth0Call) patchAPI() (int, any, error) {
	b, err := c.payload()
	if err != nil {
		return 0, nil, err
	}
	before, err := c.changeable()
	if err != nil {
		return 0, nil, err
	}
	change := registry.API{Scopes: before.Scopes, Bound: before.Bound}
	fields := b.apiSettings(&change)
	if err := b.end(); err != nil {
		return 0, nil, err
	}
	after, _, err := c.e.cfg.Admin.UpdateAPI(c.r.Context(), c.actor, admin.Update[registry.API]{
		Target: admin.Target{ID: before.ID, Version: before.Version},
		Change: admin.Named[registry.API]{Object: change, Fields: fields},
	})
	if err != nil {
		return 0, nil, auth0Admin(err, errAuth0NoAPI)
	}
	return http.StatusOK, c.showAPI(after), nil
}

func (c *auth0Call) deleteAPI() (int, any, error) {
	api, err := c.changeable()
	if err != nil {
		return 0, nil, err
	}
	_, err = c.e.cfg.Admin.DeleteAPI(c.r.Context(), c.actor, admin.Target{ID: api.ID})
	return http.StatusNoContent, nil, auth0Admin(err, errAuth0NoAPI)
}

// changeable is the API that the request names, unless it is the one that is asked.
func (c *auth0Call) changeable() (admin.API, error) {
	api, err := c.api(c.id)
	if err == nil && c.isSystem(api) {
		err = errAuth0System
	}
	return api, err
}

func (c *auth0Call) isSystem(api admin.API) bool { return api.ID == registry.ManagementID(c.Issuer.ID) }

// apiSettings takes the settings of an API into it, and gives the members that
// they change. What there is of scopes and bound is in api: a scope that stays keeps
// what Auth0 does not know of it.
func (b *auth0Body) apiSettings(api *registry.API) (fields admin.Fields) {
	if text, given := b.name(false); given {
		api.Name, fields = text, append(fields, "name")
	}
	if b.scopes(api) {
		fields = append(fields, "scopes")
	}
	if alg, given := b.text("signing_alg", 64); given {
		if !slices.Contains(auth0Algorithms, alg) {
			b.refuse("signing_alg", "No enum match: this server signs with RS256 or PS256, and never with a shared secret (HS256)")
		}
		api.Token.Algorithm, fields = alg, append(fields, "token.algorithm")
	}
	var seconds int64
	if given, removed := b.take("token_lifetime", "integer", &seconds); given {
		const longest = int64(time.Duration(registry.MaxLifetime) / time.Second)
		switch {
		case removed:
		case seconds < 1:
			b.refuse("token_lifetime", "Value is less than minimum 1")
		case seconds > longest:
			b.refuse("token_lifetime", "Value is greater than maximum %d", longest)
		}
		api.Token.Lifetime, fields = registry.Duration(time.Duration(seconds)*time.Second), append(fields, "token.lifetime")
	}
	if b.possession(api) {
		fields = append(fields, "bound")
	}
	const permissions = "permissions of people are not in tokens of programs"
	b.never("enforce_policies", permissions)
	if dialect, _ := b.text("token_dialect", 64); dialect != "" && dialect != "access_token" && dialect != "rfc9068_profile" {
		b.refuse("token_dialect", "No enum match: write access_token or rfc9068_profile; %s", permissions)
	}
	if _, given := b.members["signing_secret"]; given {
		b.refuse("signing_secret", "This server never signs with a shared secret")
	}
	b.ignore(auth0Unused)
	return fields
}

// scopes takes the scopes of an API; they take the place of those that it has.
func (b *auth0Body) scopes(api *registry.API) bool {
	var list []struct {
		Value       string          `json:"value"`
		Description json.RawMessage `json:"description"`
	}
	given, _ := b.take("scopes", "array of objects", &list)
	if !given {
		return false
	}
	before := api.Scopes
	api.Scopes = make(map[string]registry.Scope, len(list))
	for _, one := range list {
		scope := registry.Scope{Default: before[one.Value].Default}
		if len(one.Description) > 0 && json.Unmarshal(one.Description, &scope.Description) != nil {
			b.refuse("scopes", "Expected type string for each description")
		}
		if one.Value == "" {
			b.refuse("scopes", "Missing required property: value")
		}
		if _, twice := api.Scopes[one.Value]; twice {
			b.refuse("scopes", "Array items are not unique")
		}
		api.Scopes[one.Value] = scope
	}
	return true
}

// possession takes proof_of_possession: whether tokens must be bound to a key.
func (b *auth0Body) possession(api *registry.API) bool {
	var proof struct {
		Mechanism string `json:"mechanism"`
		Required  bool   `json:"required"`
	}
	given, _ := b.take("proof_of_possession", "object", &proof)
	if !given {
		return false
	}
	wanted := ""
	switch {
	case proof.Mechanism != "" && proof.Mechanism != registry.BoundDPoP && proof.Mechanism != registry.BoundMTLS:
		b.refuse("proof_of_possession", "No enum match for mechanism: write dpop or mtls")
	case proof.Required && proof.Mechanism == "":
		b.refuse("proof_of_possession", "Missing required property: mechanism")
	case proof.Required:
		wanted = proof.Mechanism
	}
	if wanted == shownMechanism(api.Bound) {
		return false
	}
	if api.Bound = wanted; wanted == "" {
		api.Bound = registry.BoundOptional
	}
	return true
}

// shownMechanism is the one that Auth0 has a word for; "": none. That tokens must be
// bound in any way is not shown, and stays when a program sends back what it saw.
func shownMechanism(bound string) string {
	if bound == registry.BoundDPoP || bound == registry.BoundMTLS {
		return bound
	}
	return ""
}

// showAPI is an API as Auth0 shows a resource server.
func (c *auth0Call) showAPI(v admin.API) auth0Object {
	scopes := []auth0Object{}
	for _, value := range slices.Sorted(maps.Keys(v.Scopes)) {
		scopes = append(scopes, auth0Object{"value": value, "description": v.Scopes[value].Description})
	}
	lifetime := time.Duration(v.Token.Lifetime)
	if lifetime == 0 {
		lifetime = c.Issuer.TokenLifetime()
	}
	seconds := int64(lifetime / time.Second)
	out := auth0Object{
		"id": v.ID, "identifier": v.Identifier, "name": v.Name, "scopes": scopes, "is_system": c.isSystem(v),
		"signing_alg": v.Token.Algorithm, "token_lifetime": seconds, "token_lifetime_for_web": seconds,
		"token_dialect": "rfc9068_profile", "enforce_policies": false, "allow_offline_access": false,
		"skip_consent_for_verifiable_first_party_clients": true,
	}
	if mechanism := shownMechanism(v.Bound); mechanism != "" {
		out["proof_of_possession"] = auth0Object{"mechanism": mechanism, "required": true}
	}
	return out
}
