package registry

import (
	"regexp"
	"slices"
	"strings"
)

var dialects = []string{DialectOkta, DialectAuth0, DialectCurity, DialectSimple}

func knownDialect(name string) bool { return name == "" || slices.Contains(dialects, name) }

// dialect checks what a vendor's programs take for granted of an issuer.
func (p *problems) dialect(i *Issuer) {
	p.subjectSuffix(i)
	if i.Dialect == "" {
		return
	}
	p.oneOf("dialect", i.Dialect, dialects)
	if i.ID == DefaultIssuer {
		p.add("dialect", "the default issuer speaks the standards alone", "make another issuer, with a url of its own")
		return
	}
	if i.FAPI2() {
		p.add("profile", "a dialect lets pass what the profile fapi2 forbids", "remove one of them; give FAPI 2.0 clients an issuer of their own")
	}
	if i.Dialect == DialectOkta && i.DPoPNonce == NonceOff {
		p.add("dpop_nonce", "programs for Okta present a bound token as such only after the server has asked for a nonce", "remove it, or write required")
	}
	if i.URL == "" {
		p.add("url", "missing: a dialect stands on a host or port of its own", "write for example https://"+i.Dialect+".example.com")
		return
	}
	if message, _ := CheckURL(i.URL); message != "" {
		return // told with the URL
	}
	if _, path, err := splitURL(i.URL); err == nil {
		p.dialectPath(i, path)
	}
}

// subjectSuffix lets an issuer write another sub than RFC 9068 §2.2 asks for where a
// vendor's programs were written for it, and what these compare.
func (p *problems) subjectSuffix(i *Issuer) {
	switch {
	case i.SubjectSuffix == "":
	case i.Dialect != DialectAuth0:
		p.add("subject_suffix", "the sub of a token is the client's id (RFC 9068 §2.2): programs for Auth0 alone know another", "remove it, or write it at an issuer with the dialect auth0")
	case i.SubjectSuffix != SuffixClients:
		p.add("subject_suffix", "not what Auth0 has behind a client's id", `write "`+SuffixClients+`", or remove it`)
	}
}

// oktaServer is the path of a custom authorization server. At /oauth2/v1 the
// organisation's own has its endpoints.
var oktaServer = regexp.MustCompile(`^/oauth2/[^/]+$`)

// curityEndpoints stand beside the last segment of an issuer's path.
var curityEndpoints = []string{"oauth-token", "oauth-introspect", "oauth-revoke", "oauth-authorize"}

// dialectPath checks where the vendor's programs expect an issuer: they make the
// paths of its endpoints themselves.
func (p *problems) dialectPath(i *Issuer, path string) {
	switch i.Dialect {
	case DialectOkta:
		if path != "" && (!oktaServer.MatchString(path) || path == "/oauth2/v1") {
			p.add("url", "not where Okta has authorization servers", "write https://HOST for the organisation's own, or https://HOST/oauth2/ID, where ID is not v1")
		}
	case DialectAuth0, DialectSimple:
		if path != "" {
			p.add("url", "a path, and programs for "+i.Dialect+" know none", "write https://HOST, or https://HOST:PORT")
		}
	case DialectCurity:
		last := path[strings.LastIndexByte(path, '/')+1:]
		if path == "" || slices.ContainsFunc(curityEndpoints, func(name string) bool { return strings.HasPrefix(last, name) }) {
			p.add("url", "its endpoints stand beside the last segment of its path, which must be there and not be one of them", "write for example https://HOST/oauth/v2/oauth-anonymous")
		}
	}
	if _, manages := managementScopes[i.Dialect]; manages && path == "" && len(ManagementID(i.ID)) > maxID {
		p.add("id", "too long for the id of its management API, "+ManagementID(i.ID), "write at most "+maxManagingID+" characters")
	}
}

// dialects keeps the vendors' issuers apart from all others: by its host and port
// alone a request is known to be for a vendor's programs.
func (v View) dialects() Problems {
	var found Problems
	seen := make(map[string][]dialectPlace) // by host
	for _, i := range v.oldestFirst() {
		id := i.ID
		host, path, err := splitURL(i.Resolve(v.Base))
		if err != nil {
			continue // told with its place
		}
		p := &problems{kind: KindIssuer, id: id}
		one := dialectPlace{i, path}
		for _, other := range seen[host] {
			if one.apart(p, other); len(p.found) > 0 {
				break
			}
		}
		seen[host] = append(seen[host], one)
		found = append(found, p.found...)
	}
	return append(found, v.simpleTokens()...)
}

// oldestFirst are the issuers in the order in which they were made, so that what is
// wrong between two is told of the newer one: somebody is making it now. Those that
// are not written yet come last, and those of one time by id.
func (v View) oldestFirst() []*Issuer {
	all := make([]*Issuer, 0, len(v.Issuers))
	for _, id := range sortedKeys(v.Issuers) {
		all = append(all, v.Issuers[id])
	}
	slices.SortStableFunc(all, func(a, b *Issuer) int {
		if fresh := a.Created.IsZero(); fresh != b.Created.IsZero() {
			if fresh {
				return 1
			}
			return -1
		}
		return a.Created.Compare(b.Created)
	})
	return all
}

// dialectPlace is an issuer and its path.
type dialectPlace struct {
	*Issuer
	path string
}

func (one dialectPlace) apart(p *problems, other dialectPlace) {
	const own = "give one of them another host or port: a dialect has one of its own"
	switch {
	case one.path == other.path: // told with its place
	case one.Dialect != other.Dialect:
		p.add(one.placeMember(), "issuer "+other.ID+" stands at the same host, with "+other.dialectName(), own)
	case one.Dialect == DialectCurity && parent(one.path) == parent(other.path):
		p.add("url", "its endpoints would be those of issuer "+other.ID+", beside the last segment of both paths", "give one of them another path before the last segment")
	}
}

func parent(path string) string { return path[:max(0, strings.LastIndexByte(path, '/'))] }

// placeMember is the member that decides where the issuer stands.
func (i *Issuer) placeMember() string {
	if i.URL == "" {
		return "id"
	}
	return "url"
}

func (i *Issuer) dialectName() string {
	if i.Dialect == "" {
		return "no dialect"
	}
	return "the dialect " + i.Dialect
}

// simpleTokens refuses tokens that the endpoint of the dialect simple, which
// checks signatures, could not tell anything about.
func (v View) simpleTokens() Problems {
	var found Problems
	for _, id := range sortedKeys(v.APIs) {
		a := v.APIs[id]
		if i := v.Issuers[a.Issuer]; i != nil && i.Dialect == DialectSimple && a.Opaque() {
			p := &problems{kind: KindAPI, id: id}
			p.add("token.format", "the dialect simple of issuer "+a.Issuer+" has signed tokens alone", "remove it, or write jwt")
			found = append(found, p.found...)
		}
	}
	return found
}

// Organisation are the ids of the issuers that a vendor's management calls at v
// reach, sorted: those of the same dialect at the same host and port, v among
// them. An issuer without a dialect stands alone.
func (s *Snapshot) Organisation(v *IssuerView) []string {
	ids := []string{v.ID}
	for _, other := range s.byHost[v.Host] {
		if v.Dialect != "" && other.Dialect == v.Dialect && other.ID != v.ID {
			ids = append(ids, other.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
