package registry

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// Validate says everything that is wrong with a new client by itself. What
// concerns other objects says ValidateClient.
func (c *Client) Validate() error { return c.ValidateAfter(nil) }

// ValidateAfter is Validate for a client that was before, and may have a longer
// document where nothing but taking away has made it so.
func (c *Client) ValidateAfter(before *Client) error {
	p := &problems{kind: KindClient, id: c.ID}
	if !ValidClientID(c.ID) {
		p.add("id", "not a client id", "write 1 to 128 of A-Z, a-z, 0-9, ., _, ~ and -")
	}
	p.text("name", c.Name, maxName)
	if c.Owner != "" && !ValidID(c.Owner) {
		p.add("owner", "not the id of an operator", idFix)
	}
	p.labels(c.Labels)
	if !slices.Contains([]string{StateActive, StateDisabled, StatePending}, c.State) {
		p.add("state", "not a state", `write "active" or "disabled"`)
	}
	p.ids("issuers", c.Issuers)
	p.oneOf("bound", c.Bound, boundValues)
	p.credentials(c)
	p.legacy(c.LegacyAssertion)
	p.auth(c.Auth)
	p.access(c)
	p.claims(c)
	p.clientSize(before, c)
	return p.found.Err()
}

func (p *problems) labels(labels map[string]string) {
	if len(labels) > maxLabels {
		p.add("labels", "more than "+strconv.Itoa(maxLabels), "remove some")
	}
	for _, key := range sortedKeys(labels) {
		if key == "" || len(key) > 63 || strings.ContainsFunc(key, func(r rune) bool { return !unreserved(r) && r != '/' }) {
			p.add(at("labels", key), "not the name of a label", "write up to 63 of A-Z, a-z, 0-9, ., _, ~, - and /")
		}
		p.text(at("labels", key), labels[key], maxName)
	}
}

// ids checks a list of ids without repetitions.
func (p *problems) ids(path string, ids []string) {
	for i, id := range ids {
		switch {
		case !ValidID(id):
			p.add(at(path, strconv.Itoa(i)), "not an id", idFix)
		case slices.Contains(ids[:i], id):
			p.add(at(path, id), "named twice", "name it once")
		}
	}
}

func (p *problems) auth(list []string) {
	const fix = "write " + symbolon.AuthSecretBasic + ", " + symbolon.AuthSecretPost + ", " + symbolon.AuthPrivateKeyJWT + ", " +
		symbolon.AuthTLSClient + " or " + symbolon.AuthSelfSignedTLS + ", or remove auth to allow what the credentials do"
	for i, m := range list {
		path := at("auth", m)
		switch {
		case m == "client_secret_jwt":
			p.add(path, "client_secret_jwt needs symmetric keys, which do not exist here", fix)
		case m == "none":
			p.add(path, "a client without authentication gets no tokens here", fix)
		case !slices.Contains(methods, m):
			p.add(at("auth", strconv.Itoa(i)), "not an authentication method", fix)
		case slices.Contains(list[:i], m):
			p.add(path, "named twice", "name it once")
		}
	}
}

func (p *problems) access(c *Client) {
	for _, api := range sortedKeys(c.Access) {
		if !ValidID(api) {
			p.add(at("access", api), "not the id of an API", idFix)
		}
		scopes := c.Access[api]
		seen := make(map[string]bool, len(scopes))
		for _, s := range scopes {
			p.scope(at("access", api, s), s)
			if seen[s] {
				p.add(at("access", api, s), "named twice", "name it once")
			}
			seen[s] = true
		}
	}
	for i, api := range c.DefaultAPI {
		path := at("default_api", api)
		switch _, granted := c.Access[api]; {
		case !granted:
			p.add(path, "the client has no access to this API", "grant access to it, or name another")
		case slices.Contains(c.DefaultAPI[:i], api):
			p.add(path, "named twice", "name it once")
		}
	}
}

// claims checks the fixed extra claims: nothing that only the server may say
// (RFC 9068 §2.2), and nothing that two parsers could read differently.
func (p *problems) claims(c *Client) {
	for _, name := range sortedKeys(c.Claims) {
		path := at("claims", name)
		switch {
		case symbolon.ReservedClaim(name):
			p.add(path, "only the server sets this claim", "choose another name")
		case name == "" || len(name) > 128 || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
			p.add(path, "not the name of a claim", "write up to 128 octets without control characters")
		case !json.Valid(c.Claims[name]) || jose.CheckObject(slices.Concat([]byte(`{"c":`), c.Claims[name], []byte("}"))) != nil:
			p.add(path, "not a JSON value without repeated members", "write a string, a number, true, false, a list or an object")
		}
	}
}
