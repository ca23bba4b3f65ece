package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// Bounds of what an object may hold.
const (
	MaxDoc         = 256 << 10 // octets of a document that is not a client's
	maxName        = 256       // octets of a name
	maxDescription = 1024      // octets of a scope's description
	maxIdentifier  = 1024      // octets of an identifier or a URL
	maxScope       = 256       // octets of a scope value
	maxLabels      = 64
	maxRotate      = Duration(3650 * 24 * time.Hour)
)

// Validate says everything that is wrong with the issuer by itself: a Problems
// or nil. What concerns other objects says ValidateSet.
func (i *Issuer) Validate() error {
	p := &problems{kind: KindIssuer, id: i.ID}
	p.objectID(i.ID)
	p.issuerURL(i)
	p.lifetime("token.lifetime", i.Token.Lifetime)
	p.oneOf("profile", i.Profile, []string{ProfileStandard, ProfileFAPI2})
	p.oneOf("dpop_nonce", i.DPoPNonce, nonceValues)
	p.oneOf("replay", i.Replay, []string{ReplayStrict, ReplayLocal})
	if i.Audience != "" && !validIdentifier(i.Audience) {
		p.add("audience", "not an identifier of an API", identifierFix)
	}
	p.dialect(i)
	p.schedule(i.Keys)
	p.size(i, MaxDoc)
	return p.found.Err()
}

func (p *problems) issuerURL(i *Issuer) {
	if i.URL == "" {
		if i.ID != DefaultIssuer && reservedSegment(i.ID) {
			p.add("id", "the path /"+i.ID+" is an endpoint of the server's own", "choose another id, or give the issuer a url of its own")
		}
		return
	}
	if i.ID == DefaultIssuer {
		p.add("url", "the default issuer's URL is the server's own", "remove it here, and set url in the server's configuration")
		return
	}
	if message, fix := CheckURL(i.URL); message != "" {
		p.add("url", message, fix)
	}
}

// schedule judges the times by themselves; whether a live token could outlast
// its key under them is judged where keys are planned.
func (p *problems) schedule(k KeySchedule) {
	if k.Announce != 0 && k.Announce < MinAnnounce {
		p.add("keys.announce", "shorter than "+MinAnnounce.String()+": verifiers that cached the key set would not know the new key", "write "+MinAnnounce.String()+" or more")
	}
	announce, rotate := k.Announce, k.Rotate
	if announce == 0 {
		announce = DefaultAnnounce
	}
	if rotate == 0 {
		rotate = DefaultRotate
	}
	if rotate < announce {
		p.add("keys.rotate", "shorter than keys.announce: the next key would not be published in time", "write "+announce.String()+" or more")
	}
	if rotate > maxRotate {
		p.add("keys.rotate", "longer than ten years", "write "+maxRotate.String()+" or less")
	}
	if announce > maxRotate {
		p.add("keys.announce", "longer than ten years", "write "+DefaultAnnounce.String())
	}
}

// Validate says everything that is wrong with the API by itself.
func (a *API) Validate() error {
	p := &problems{kind: KindAPI, id: a.ID}
	p.objectID(a.ID)
	if Administrative(a.ID) {
		p.add("id", "the server's own administration uses this id", "choose another id")
	}
	p.reference("issuer", a.Issuer)
	if !validIdentifier(a.Identifier) {
		p.add("identifier", "not an absolute URI without fragment, nor a plain string", identifierFix)
	}
	p.text("name", a.Name, maxName)
	for _, scope := range sortedKeys(a.Scopes) {
		p.scope(at("scopes", scope), scope)
		p.text(at("scopes", scope, "description"), a.Scopes[scope].Description, maxDescription)
	}
	p.oneOf("token.format", a.Token.Format, []string{FormatJWT, FormatOpaque})
	p.lifetime("token.lifetime", a.Token.Lifetime)
	p.tokenForm(a.Token)
	p.resourceServers(a.ResourceServers)
	p.oneOf("bound", a.Bound, boundValues)
	p.oneOf("dpop_nonce", a.DPoPNonce, nonceValues)
	p.size(a, MaxDoc)
	return p.found.Err()
}

// tokenForm checks what only tokens have that are signed.
func (p *problems) tokenForm(t APIToken) {
	const sealed = "an opaque token is sealed, not signed"
	if t.Format == FormatOpaque {
		if t.Algorithm != "" {
			p.add("token.algorithm", sealed, "remove it, or write format: jwt")
		}
		if t.Typ != "" {
			p.add("token.typ", sealed+", and has no header", "remove it, or write format: jwt")
		}
		return
	}
	p.algorithm("token.algorithm", t.Algorithm)
	if !slices.Contains([]string{"", "at+jwt", "JWT"}, t.Typ) {
		p.add("token.typ", "not a type of access token", `write "at+jwt", or "JWT" for verifiers that know no other`)
	}
}

// maxResourceServers bounds how many clients may ask about an API's tokens.
const maxResourceServers = 256

func (p *problems) resourceServers(clients []string) {
	if len(clients) > maxResourceServers {
		p.add("resource_servers", fmt.Sprintf("more than %d clients", maxResourceServers), "let the instances of one program share a client")
		return
	}
	for i, id := range clients {
		switch {
		case !ValidClientID(id):
			p.add(at("resource_servers", id), "not the id of a client", "write 1 to 128 of A-Z, a-z, 0-9 and ._~-")
		case slices.Contains(clients[:i], id):
			p.add(at("resource_servers", id), "it is named twice", "name it once")
		}
	}
}

// Validate says everything that is wrong with the operator.
func (o *Operator) Validate() error {
	p := &problems{kind: KindOperator, id: o.ID}
	p.objectID(o.ID)
	p.text("name", o.Name, maxName)
	p.text("email", o.Email, maxName)
	if local, domain, ok := strings.Cut(o.Email, "@"); o.Email != "" && (!ok || local == "" || domain == "" || strings.ContainsAny(o.Email, " <>,;")) {
		p.add("email", "not an e-mail address", "write it as ann@example.com")
	}
	p.role(o.Role)
	p.size(o, MaxDoc)
	return p.found.Err()
}

func (p *problems) role(role string) {
	if !slices.Contains([]string{RoleViewer, RoleOperator, RoleAdmin}, role) {
		p.add("role", "not a role", `write "viewer", "operator" or "admin"`)
	}
}

const idFix = "write a lower-case letter or digit, then up to 62 of a-z, 0-9 and -"

// ValidID reports whether the id of an issuer, API, operator or credential has
// the form [a-z0-9][a-z0-9-]{0,62}.
func ValidID(id string) bool {
	return id != "" && len(id) <= 63 && id[0] != '-' &&
		!strings.ContainsFunc(id, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

// ValidClientID reports whether a client's id has the form
// [A-Za-z0-9._~-]{1,128}: the unreserved characters, which every encoding
// leaves alone.
func ValidClientID(id string) bool {
	return id != "" && len(id) <= 128 && !strings.ContainsFunc(id, func(r rune) bool { return !unreserved(r) })
}

// unreserved are the characters of RFC 3986 §2.3.
func unreserved(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._~-", r)
}

const identifierFix = "write for example https://orders.example.com; a string that is no URI has letters, digits and marks only and no #"

// validIdentifier takes an absolute URI without fragment or a legacy string of
// visible ASCII. RFC 7519 §2: what has a colon in it has to be a URI, since it
// ends in aud.
func validIdentifier(text string) bool {
	if text == "" || len(text) > maxIdentifier {
		return false
	}
	if absoluteURI(text) {
		return true
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`":#\`, r) })
}

func (p *problems) objectID(id string) {
	if !ValidID(id) {
		p.add("id", "not an id", idFix)
	}
}

// reference checks an id that must be there and names another object.
func (p *problems) reference(path, id string) {
	switch {
	case id == "":
		p.add(path, "missing", "name one, as "+DefaultIssuer)
	case !ValidID(id):
		p.add(path, "not an id", idFix)
	}
}

func (p *problems) scope(path, scope string) {
	if len(scope) > maxScope || !symbolon.ValidScope(scope) {
		p.add(path, "not a scope value (RFC 6749 §3.3)", `write up to 256 visible ASCII characters without space, " and \`)
	}
}

// text checks what people read: bounded, and nothing that moves a cursor.
func (p *problems) text(path, text string, limit int) {
	switch {
	case len(text) > limit:
		p.add(path, "too long", fmt.Sprintf("write at most %d octets", limit))
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		p.add(path, "control characters or broken UTF-8", "write plain text on one line")
	}
}

func (p *problems) lifetime(path string, d Duration) {
	switch {
	case d == 0:
	case d < 0 || d.Std()%time.Second != 0:
		p.add(path, "not a number of whole seconds", "write for example 10m or 1h")
	case d > MaxLifetime:
		p.add(path, "longer than "+MaxLifetime.String()+": a token that leaks stays good as long", "write "+MaxLifetime.String()+" or less")
	}
}

func (p *problems) algorithm(path, name string) {
	if name == "" {
		return
	}
	if a := jose.Algorithm(name); !slices.Contains(signingAlgorithms, a) {
		fix := "write ES256, ES384, PS256, RS256 or EdDSA"
		if strings.HasPrefix(name, "HS") || strings.EqualFold(name, "none") {
			fix += ": there are no symmetric or unsigned tokens here"
		}
		p.add(path, "not an algorithm that this server signs with", fix)
	}
}

var signingAlgorithms = []jose.Algorithm{jose.ES256, jose.ES384, jose.PS256, jose.RS256, jose.EdDSA}

// oneOf checks a member that has a few values, or none.
func (p *problems) oneOf(path, value string, values []string) {
	if value != "" && !slices.Contains(values, value) {
		last := len(values) - 1
		p.add(path, "not a known value", "write "+strings.Join(values[:last], ", ")+" or "+values[last]+", or remove it")
	}
}

var (
	boundValues = []string{BoundOptional, BoundRequired, BoundDPoP, BoundMTLS}
	nonceValues = []string{NonceRequired, NonceOff}
)

// size comes last: a member that cannot be written is a problem already.
func (p *problems) size(obj any, limit int) {
	doc, err := json.Marshal(obj)
	switch {
	case err != nil && len(p.found) == 0:
		p.add("", "cannot be written as JSON", "correct its members")
	case len(doc) > limit:
		p.add("", fmt.Sprintf("larger than %d KiB", limit>>10), "shorten it, or divide it")
	}
}
