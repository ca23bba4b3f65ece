package registry

import (
	"slices"
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
	found = append(found, v.dialects()...)
	found = append(found, v.targets()...)
	found = append(found, v.issuerAudiences()...)
	found = append(found, v.profiles()...)
	return found.Err()
}

// place is where an issuer lives.
type place struct {
	id, host, path string
	member         string // of the issuer that decides it
}

// issuerPlaces refuses two issuers where a client could not tell which it
// reads, and an issuer that lies on an endpoint of another.
func (v View) issuerPlaces() Problems {
	var found Problems
	var places []place
	for _, id := range sortedKeys(v.Issuers) {
		i := v.Issuers[id]
		at := place{id: id, member: "url"}
		if i.URL == "" {
			at.member = "id"
		}
		p := &problems{kind: KindIssuer, id: id}
		var err error
		if at.host, at.path, err = splitURL(i.Resolve(v.Base)); err != nil {
			p.add(at.member, "its URL cannot be used: "+err.Error(), "correct it")
		} else {
			for _, other := range places {
				p.apart(at, other)
			}
			places = append(places, at)
		}
		found = append(found, p.found...)
	}
	return found
}

// apart wants no metadata URL and no endpoint in common.
func (p *problems) apart(one, other place) {
	if one.host != other.host {
		return
	}
	theirs := metadataURLs(other.host, other.path)
	if slices.ContainsFunc(metadataURLs(one.host, one.path), func(u string) bool { return slices.Contains(theirs, u) }) {
		p.add(one.member, "the same place as issuer "+other.id+": they would share their metadata", "give one of them another url")
		return
	}
	segment, collides := inside(other.path, one.path)
	if !collides {
		segment, collides = inside(one.path, other.path)
	}
	if collides {
		p.add(one.member, "collides with issuer "+other.id+": one lies on the endpoint /"+segment+" of the other", "choose another path")
	}
}

// targets checks that every API has an issuer and a name of its own there.
func (v View) targets() Problems {
	var found Problems
	taken := make(map[[2]string]string) // issuer, name → API id
	admin := strings.TrimSuffix(v.Base, "/") + "/admin"
	for _, id := range v.apiIDs() {
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

// apiIDs are those of all APIs, the server's own first: where two want one name,
// it is the other's to choose another.
func (v View) apiIDs() []string {
	ids := sortedKeys(v.APIs)
	slices.SortStableFunc(ids, func(x, y string) int {
		switch a, b := Administrative(x), Administrative(y); {
		case a && !b:
			return -1
		case b && !a:
			return 1
		}
		return 0
	})
	return ids
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
			p.add(at("access", id), "there is no API "+id, NoAPIFix(id))
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
