package registry

import (
	"strings"
)

// View is what rules between objects look at: the issuers and APIs as they
// would be after a change.
type View struct {
	Base    string // the default issuer's URL
	Issuers map[string]*Issuer
	APIs    map[string]*API
}

// View is the snapshot's own, in maps that the caller may change to see what a
// change would do. The objects in them are the snapshot's: replace, do not
// write into them.
func (s *Snapshot) View() View {
	v := View{Base: s.Base, Issuers: make(map[string]*Issuer, len(s.Issuers)), APIs: make(map[string]*API, len(s.APIs))}
	for id, i := range s.Issuers {
		v.Issuers[id] = i.Issuer
	}
	for id, a := range s.APIs {
		v.APIs[id] = a
	}
	return v
}

// ValidateSet says everything that is wrong between the issuers and APIs: a
// Problems or nil. Each object is expected to be valid by itself.
func ValidateSet(v View) error {
	var found Problems
	found = append(found, v.issuerPlaces()...)
	found = append(found, v.targets()...)
	found = append(found, v.issuerAudiences()...)
	return found.Err()
}

// issuerPlaces refuses two issuers where a client could not tell which it
// reads, and an issuer that lies on an endpoint of another.
func (v View) issuerPlaces() Problems {
	var found Problems
	type place struct{ id, host, path string }
	var places []place
	metadata := make(map[string]string) // URL → issuer id
	for _, id := range sortedKeys(v.Issuers) {
		i := v.Issuers[id]
		p := &problems{kind: KindIssuer, id: id}
		path := "url"
		if i.URL == "" {
			path = "id"
		}
		host, urlPath, err := splitURL(i.Resolve(v.Base))
		if err != nil {
			p.add(path, "its URL cannot be used: "+err.Error(), "correct it")
		} else {
			for _, u := range metadataURLs(host, urlPath) {
				if other, taken := metadata[u]; taken && other != id {
					p.add(path, "the same place as issuer "+other+": they would share their metadata", "give one of them another url")
					break
				}
				metadata[u] = id
			}
			for _, o := range places {
				if o.host != host {
					continue
				}
				for _, pair := range [][2]string{{o.path, urlPath}, {urlPath, o.path}} {
					if segment, collides := inside(pair[0], pair[1]); collides {
						p.add(path, "collides with the endpoint /"+segment+" of the other issuer, "+o.id, "choose another path")
					}
				}
			}
			places = append(places, place{id, host, urlPath})
		}
		found = append(found, p.found...)
	}
	return found
}

// targets checks that every API has an issuer and a name of its own there.
func (v View) targets() Problems {
	var found Problems
	taken := make(map[[2]string]string) // issuer, name → API id
	admin := strings.TrimSuffix(v.Base, "/") + "/admin"
	for _, id := range sortedKeys(v.APIs) {
		a := v.APIs[id]
		p := &problems{kind: KindAPI, id: id}
		if v.Issuers[a.Issuer] == nil {
			p.add("issuer", "there is no issuer "+a.Issuer, "create it first, or name another")
		}
		if strings.TrimSuffix(a.Identifier, "/") == admin {
			p.add("identifier", "the server's own administration has this identifier", "choose another")
		}
		for _, name := range targetNames(a.Identifier) {
			key := [2]string{a.Issuer, name}
			if other, ok := taken[key]; ok && other != id {
				p.add("identifier", "API "+other+" of the same issuer has this identifier", "choose another")
				break
			}
			taken[key] = id
		}
		found = append(found, p.found...)
	}
	return found
}

func (v View) issuerAudiences() Problems {
	var found Problems
	for _, id := range sortedKeys(v.Issuers) {
		want := v.Issuers[id].Audience
		if want == "" || v.hasTarget(id, want) {
			continue
		}
		p := &problems{kind: KindIssuer, id: id}
		p.add("audience", "no API of this issuer has this identifier", "create the API first, or remove audience")
		found = append(found, p.found...)
	}
	return found
}

func (v View) hasTarget(issuer, name string) bool {
	for _, a := range v.APIs {
		if a.Issuer != issuer {
			continue
		}
		for _, n := range targetNames(a.Identifier) {
			if n == name {
				return true
			}
		}
	}
	return false
}

// ValidateClient says everything that is wrong between the client and the
// issuers and APIs that it names: a Problems or nil. The client is expected to
// be valid by itself.
func ValidateClient(v View, c *Client) error {
	p := &problems{kind: KindClient, id: c.ID}
	for _, id := range c.Issuers {
		if v.Issuers[id] == nil {
			p.add(at("issuers", id), "there is no issuer "+id, "create it first, or name another")
		}
	}
	for _, id := range sortedKeys(c.Access) {
		api := v.APIs[id]
		if api == nil {
			p.add(at("access", id), "there is no API "+id, "create it first, or correct the id")
			continue
		}
		for _, scope := range c.Access[id] {
			if _, defined := api.Scopes[scope]; !defined {
				p.add(at("access", id, scope), "API "+id+" has no scope "+scope, "define the scope at the API, or correct it")
			}
		}
	}
	first := make(map[string]string) // issuer → its default API
	for _, id := range c.DefaultAPI {
		api := v.APIs[id]
		if api == nil {
			continue // reported with access
		}
		if other, ok := first[api.Issuer]; ok {
			p.add(at("default_api", id), "API "+other+" is already the default at issuer "+api.Issuer, "name one per issuer")
			continue
		}
		first[api.Issuer] = id
	}
	return p.found.Err()
}
