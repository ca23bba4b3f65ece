package state

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/config"
	"github.com/symbolon/symbolon/internal/registry"
)

// Marshal writes a declarative file that Load reads back to the same objects
// with the same members named. Secrets are written as their hashes. set is the
// owner that the file names; with "" it names none.
func Marshal(set string, s admin.State) ([]byte, error) {
	var m config.Map
	if set != "" || len(s.Issuers)+len(s.APIs)+len(s.Clients)+len(s.Operators)+len(s.OperatorTokens) == 0 {
		m = append(m, config.Pair{Key: "set", Value: cmp.Or(set, DefaultSet)})
	}
	m = appendList(m, "issuers", s.Issuers, issuerMap)
	m = appendList(m, "apis", s.APIs, apiMap)
	for _, c := range s.Clients {
		for _, secret := range c.Object.Secrets {
			if secret.Hash == "" && c.Fields.Has("secrets") {
				return nil, fmt.Errorf("secret %s of client %s has no hash to write", secret.ID, c.Object.ID)
			}
		}
	}
	m = appendList(m, "clients", s.Clients, clientMap)
	m, err := appendResourceServers(m, s.APIs)
	if err != nil {
		return nil, err
	}
	m = appendList(m, "operators", s.Operators, operatorMap)
	for _, t := range s.OperatorTokens {
		if t.Object.Hash == "" {
			return nil, fmt.Errorf("operator token %s has no hash to write", t.Object.ID)
		}
	}
	m = appendList(m, "operator_tokens", s.OperatorTokens, operatorTokenMap)
	return config.Marshal(m)
}

func appendList[T any](m config.Map, key string, list []admin.Named[T], entry func(*T, *members)) config.Map {
	if len(list) == 0 {
		return m
	}
	entries := make([]config.Map, len(list))
	for i := range list {
		b := &members{fields: list[i].Fields}
		entry(&list[i].Object, b)
		entries[i] = b.m
	}
	return append(m, config.Pair{Key: key, Value: entries})
}

// members collects the members of an object that are named.
type members struct {
	m      config.Map
	fields admin.Fields
	prefix string
}

func (b *members) id(id string) { b.m = append(b.m, config.Pair{Key: "id", Value: id}) }

func (b *members) add(key string, value any) {
	if b.fields.Has(b.prefix + key) {
		b.m = append(b.m, config.Pair{Key: key, Value: value})
	}
}

// group adds a structure whose members are named one by one.
func (b *members) group(key string, fill func(*members)) {
	inner := &members{fields: b.fields, prefix: key + "."}
	fill(inner)
	if len(inner.m) > 0 {
		b.m = append(b.m, config.Pair{Key: key, Value: config.Inline{Value: inner.m}})
	}
}

func issuerMap(o *registry.Issuer, b *members) {
	b.id(o.ID)
	b.add("url", o.URL)
	b.add("dialect", o.Dialect)
	b.group("token", func(g *members) { g.add("lifetime", o.Token.Lifetime.String()) })
	b.add("profile", o.Profile)
	b.add("audience", o.Audience)
	b.add("subject_suffix", o.SubjectSuffix)
	b.add("dpop_nonce", o.DPoPNonce)
	b.add("replay", o.Replay)
	b.group("keys", func(g *members) {
		g.add("rotate", o.Keys.Rotate.String())
		g.add("announce", o.Keys.Announce.String())
	})
}

func apiMap(o *registry.API, b *members) {
	b.id(o.ID)
	b.add("issuer", o.Issuer)
	b.add("identifier", o.Identifier)
	b.add("name", o.Name)
	b.add("scopes", scopesMap(o.Scopes))
	b.group("token", func(g *members) {
		g.add("format", o.Token.Format)
		g.add("lifetime", o.Token.Lifetime.String())
		g.add("algorithm", o.Token.Algorithm)
		g.add("typ", o.Token.Typ)
	})
	b.add("bound", o.Bound)
	b.add("dpop_nonce", o.DPoPNonce)
}

func scopesMap(scopes map[string]registry.Scope) config.Map {
	var m config.Map
	for _, name := range slices.Sorted(maps.Keys(scopes)) {
		s := scopes[name]
		var value any = s.Description
		if s.Default {
			value = config.Inline{Value: config.Map{{Key: "description", Value: s.Description}, {Key: "default", Value: true}}}
		}
		m = append(m, config.Pair{Key: name, Value: value})
	}
	return m
}

func clientMap(o *registry.Client, b *members) {
	b.id(o.ID)
	b.add("name", o.Name)
	b.add("owner", o.Owner)
	b.add("labels", sortedMap(o.Labels, func(s string) any { return s }))
	b.add("state", o.State)
	b.add("issuers", o.Issuers)
	b.add("bound", o.Bound)
	b.add("secrets", secretMaps(o.Secrets, b.fields))
	b.add("keys", keyMaps(o.Keys, b.fields))
	b.add("jwks_uri", o.JWKSURI)
	b.add("certificates", certificateMaps(o.Certificates, b.fields))
	b.add("legacy_assertion", legacyMap(o.LegacyAssertion))
	b.add("auth", o.Auth)
	b.add("access", sortedMap(o.Access, func(s []string) any { return s }))
	b.add("default_api", []string(o.DefaultAPI))
	b.add("claims", sortedMap(o.Claims, func(j json.RawMessage) any { return j }))
}

func sortedMap[V any](values map[string]V, value func(V) any) config.Map {
	var m config.Map
	for _, key := range slices.Sorted(maps.Keys(values)) {
		m = append(m, config.Pair{Key: key, Value: value(values[key])})
	}
	return m
}

// credentialMaps writes the credentials of one kind: the id, what the kind has
// besides, and the expiry where it is asked for.
func credentialMaps[C any](kind string, list []C, fields admin.Fields, of func(*C) (id string, expires time.Time, values config.Map)) []config.Map {
	entries := make([]config.Map, len(list))
	for i := range list {
		id, expires, values := of(&list[i])
		b := &members{fields: fields, prefix: kind + "." + id + "."}
		b.id(id)
		b.m = append(b.m, values...)
		b.add("expires", expiryText(expires))
		entries[i] = b.m
	}
	return entries
}

func secretMaps(secrets []registry.Secret, fields admin.Fields) []config.Map {
	return credentialMaps("secrets", secrets, fields, func(s *registry.Secret) (string, time.Time, config.Map) {
		return s.ID, s.Expires, config.Map{{Key: "hash", Value: s.Hash}}
	})
}

// expiryText is the shortest text that is read back as the time.
func expiryText(t time.Time) config.Plain {
	t = t.UTC()
	switch {
	case t.IsZero():
		return never
	case t.Equal(t.Truncate(24 * time.Hour)):
		return config.Plain(t.Format(time.DateOnly))
	}
	return config.Plain(t.Format(time.RFC3339Nano))
}

func operatorMap(o *registry.Operator, b *members) {
	b.id(o.ID)
	b.add("name", o.Name)
	b.add("email", o.Email)
	b.add("role", o.Role)
}
