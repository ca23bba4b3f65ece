package registry

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// Position is a place in the total order of commits.
type Position struct {
	Seq   int64 // the commit's number
	Epoch int64 // raised when the order was broken, as by a restore
}

// epochShift leaves 40 bits for the number of a commit: at a thousand a second
// they last 34 years.
const epochShift = 40

// Gen is the position as one integer that only grows: the token's claim gen.
func (p Position) Gen() int64 { return p.Epoch<<epochShift + p.Seq }

// Doc is a stored document as the replica hands it over.
type Doc struct {
	Kind string
	ID   string
	Seq  int64 // of the commit that wrote it
	Doc  []byte

	memo *decoded // nil: it is decoded for each snapshot
}

// decoded is what Decode made of a document.
type decoded struct {
	once   sync.Once
	object any
	err    error
}

// NewDoc is a Doc that is decoded once, however many snapshots are made of it: at
// each commit all but a few are those of the snapshot before.
func NewDoc(kind, id string, seq int64, doc []byte) Doc {
	return Doc{Kind: kind, ID: id, Seq: seq, Doc: doc, memo: new(decoded)}
}

func (d *Doc) decode() (any, error) {
	m := d.memo
	if m == nil {
		m = new(decoded)
	}
	m.once.Do(func() {
		if m.object, m.err = Decode(d.Kind, d.Doc); m.err != nil {
			return
		}
		if denial, ok := m.object.(*Denial); ok {
			denial.ID, denial.Commit = d.ID, d.Seq
		}
	})
	return m.object, m.err
}

// Warning says why a stored object is not used. It is for the log: the node goes
// on with the others.
type Warning struct {
	Kind    string
	ID      string
	Message string
	Fix     string
}

// Snapshot is everything but the clients at one position, decoded and indexed.
// Nothing in it may be changed.
type Snapshot struct {
	Position
	Base      string // the default issuer's URL, without a final slash
	Issuers   map[string]*IssuerView
	APIs      map[string]*API // also those whose issuer is not usable
	Operators map[string]*Operator
	Denials   *Denials

	OperatorTokens map[string]*OperatorToken // by id

	byHost  map[string][]*IssuerView
	byValue map[[32]byte]*OperatorToken // by the SHA-256 of the value
}

// IssuerView is an issuer with all that its endpoints need. Its Keys hide the
// issuer's KeySchedule, which is Issuer.Keys.
type IssuerView struct {
	*Issuer
	Iss  string                    // the iss of its tokens: the URL as its dialect writes it, else without a final slash
	Base string                    // the URL without a final slash: what its endpoints' URLs begin with
	Host string                    // host[:port], lower case, without a default port
	Path string                    // "" or "/a/b"
	APIs []*API                    // sorted by id
	Keys map[jose.Algorithm][]*Key // of this issuer, sorted by Announced, then id

	byID     map[string]*target
	byTarget map[string]*target
	serves   map[string][]*API // by the id of a client: the APIs that it may ask about
	denials  *Denials          // of the snapshot
	pending  *denied           // nil: nothing is
}

// target is an API with what a decision about it needs, made once; or several
// APIs of one request.
type target struct {
	api      *API
	apis     []*API
	audience []string
	legacy   bool      // the identifier is not an absolute URI: only audience reaches it
	marked   []string  // sorted scopes that are given when none is asked for
	parts    []*target // several APIs; api is the first of them
}

// IssuersAt are the issuers at an exact host[:port] as it stands in a request,
// the longest path first.
func (s *Snapshot) IssuersAt(host string) []*IssuerView {
	return s.byHost[host]
}

// Merged are the ids of pending denials that became denials of this snapshot, and
// that a validator may still hold at that time.
func (s *Snapshot) Merged(now time.Time) []string { return s.Denials.mergedAt(now) }

// Next gives the snapshot of a later position at which nothing but denials has
// changed. It costs the same however many there are.
func (s *Snapshot) Next(pos Position, denials *Denials) *Snapshot {
	same := *s
	next := &same
	if denials != s.Denials {
		next = s.withViews(func(v *IssuerView) { v.denials = denials })
	}
	next.Position, next.Denials = pos, denials
	return next
}

// withViews gives a copy of the snapshot and of its issuers, which change may
// write to.
func (s *Snapshot) withViews(change func(*IssuerView)) *Snapshot {
	out := *s
	out.Issuers = make(map[string]*IssuerView, len(s.Issuers))
	out.byHost = make(map[string][]*IssuerView, len(s.byHost))
	for id, v := range s.Issuers {
		view := *v
		change(&view)
		out.Issuers[id] = &view
	}
	for host, views := range s.byHost {
		for _, v := range views {
			out.byHost[host] = append(out.byHost[host], out.Issuers[v.ID])
		}
	}
	return &out
}

// Target is the API that the name means at this issuer; nil when there is
// none. An identifier with an empty path matches with and without "/". An
// identifier that is no absolute URI is found only with legacy, that is by the
// parameter audience (RFC 8707 §2 wants a URI in resource).
func (v *IssuerView) Target(name string, legacy bool) *API {
	if t := v.target(name, legacy); t != nil {
		return t.api
	}
	return nil
}

func (v *IssuerView) target(name string, legacy bool) *target {
	t := v.byTarget[name]
	if t == nil || t.legacy && !legacy {
		return nil
	}
	return t
}

// Serves are the APIs of this issuer whose tokens the client may ask about
// (RFC 7662 §2.1), by id; none for most clients.
func (v *IssuerView) Serves(client string) []*API { return v.serves[client] }

// Algorithms are the signing algorithms that the issuer's APIs use, sorted;
// where no API has signed tokens that of an API which names none, so that a key
// waits for the first, and signs what else the issuer says.
func (v *IssuerView) Algorithms() []jose.Algorithm {
	var all []jose.Algorithm
	for _, api := range v.APIs {
		if a := api.SigningAlgorithm(); !api.Opaque() && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	if len(all) == 0 {
		return []jose.Algorithm{v.Issuer.DefaultAlgorithm()}
	}
	slices.Sort(all)
	return all
}

// Scopes are the scope values of the issuer's APIs, sorted.
func (v *IssuerView) Scopes() []string {
	seen := make(map[string]bool)
	for _, api := range v.APIs {
		for scope := range api.Scopes {
			seen[scope] = true
		}
	}
	return sortedKeys(seen)
}

// LongestLifetime is the longest life of a token that the issuer's settings
// allow.
func (v *IssuerView) LongestLifetime() time.Duration {
	longest := v.Issuer.TokenLifetime()
	for _, api := range v.APIs {
		longest = max(longest, api.TokenLifetime(v.Issuer))
	}
	return longest
}

// Key is the issuer's key of that id; nil when there is none.
func (v *IssuerView) Key(kid string) *Key {
	for _, keys := range v.Keys {
		for _, k := range keys {
			if k.ID == kid {
				return k
			}
		}
	}
	return nil
}

// TokenLifetime is how long the issuer's tokens live where an API does not say.
func (i *Issuer) TokenLifetime() time.Duration {
	if i.Token.Lifetime > 0 {
		return min(i.Token.Lifetime, MaxLifetime).Std()
	}
	return DefaultLifetime.Std()
}

// TokenLifetime is how long a token for the API lives at its issuer.
func (a *API) TokenLifetime(i *Issuer) time.Duration {
	if a.Token.Lifetime > 0 {
		return min(a.Token.Lifetime, MaxLifetime).Std()
	}
	return i.TokenLifetime()
}

// Opaque reports whether the API's tokens are sealed rather than signed.
func (a *API) Opaque() bool { return a.Token.Format == FormatOpaque }

// tokenForm is the format of the API's tokens, and where they are signed the
// algorithm and the header parameter typ.
func (a *API) tokenForm() (format string, algorithm jose.Algorithm, typ string) {
	if a.Opaque() {
		return FormatOpaque, "", ""
	}
	return FormatJWT, a.SigningAlgorithm(), cmp.Or(a.Token.Typ, symbolon.TypAccessToken)
}

// SigningAlgorithm is the algorithm of the API's tokens, where they are signed.
func (a *API) SigningAlgorithm() jose.Algorithm {
	if a.Token.Algorithm == "" {
		return jose.ES256
	}
	return jose.Algorithm(a.Token.Algorithm)
}

// DefaultAlgorithm signs the tokens of an API that names no algorithm. Such an
// API of a dialect issuer gets its algorithm written down when it is made.
func (i *Issuer) DefaultAlgorithm() jose.Algorithm {
	if i.Dialect != "" {
		return jose.RS256 // the vendors' verifiers know nothing else
	}
	return jose.ES256
}

// Resolve is the issuer's URL without a final slash. base is the URL of the
// default issuer.
func (i *Issuer) Resolve(base string) string {
	base = strings.TrimSuffix(base, "/")
	switch {
	case i.URL != "":
		return strings.TrimSuffix(i.URL, "/")
	case i.ID == DefaultIssuer:
		return base
	}
	return base + "/" + i.ID
}
