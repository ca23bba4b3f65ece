package registry

import (
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/jose"
)

// Build makes the snapshot of one position of documents alone, as BuildOn does,
// denials among them.
func Build(base string, pos Position, objects []Doc) (*Snapshot, []Warning) {
	denials := NewDenials(objects)
	s, warnings := BuildOn(denials, base, pos, objects)
	return s, append(warnings, denials.Warnings()...)
}

// BuildOn decodes the documents of the small kinds and makes the snapshot of one
// position, with denials that are there already. Documents of denials and clients
// are skipped. What cannot be used is left out with a warning, never fatal: one
// bad document may not stop a node. base is the default issuer's URL.
func BuildOn(denials *Denials, base string, pos Position, objects []Doc) (*Snapshot, []Warning) {
	if denials == nil {
		denials = new(Denials)
	}
	b := builder{s: &Snapshot{
		Position:  pos,
		Base:      strings.TrimSuffix(base, "/"),
		Issuers:   make(map[string]*IssuerView),
		APIs:      make(map[string]*API),
		Operators: make(map[string]*Operator),

		OperatorTokens: make(map[string]*OperatorToken),

		Denials: denials,
		byHost:  make(map[string][]*IssuerView),
	}}
	for i := range objects {
		b.decode(&objects[i])
	}
	b.issuers()
	b.apis()
	b.keys()
	b.tokens()
	return b.s, b.warnings
}

type builder struct {
	s        *Snapshot
	bare     []*Issuer
	allKeys  []*Key
	warnings []Warning
}

func (b *builder) warn(kind, id, message, fix string) {
	b.warnings = append(b.warnings, Warning{Kind: kind, ID: id, Message: message, Fix: fix})
}

func (b *builder) decode(doc *Doc) {
	if doc.Kind == KindClient || doc.Kind == KindDenial {
		return
	}
	obj, err := doc.decode()
	if err != nil {
		b.warnings = append(b.warnings, warningOf(doc, err))
		return
	}
	switch o := obj.(type) {
	case *Issuer:
		b.bare = append(b.bare, o)
	case *API:
		b.s.APIs[o.ID] = o
	case *Operator:
		b.s.Operators[o.ID] = o
	case *OperatorToken:
		b.s.OperatorTokens[o.ID] = o
	case *Key:
		b.allKeys = append(b.allKeys, o)
	}
}

// issuers resolves the URLs. Where two claim one place, the first by id stays:
// every node must come to the same answer.
func (b *builder) issuers() {
	slices.SortFunc(b.bare, func(x, y *Issuer) int { return strings.Compare(x.ID, y.ID) })
	taken := make(map[string]string)
	for _, i := range b.bare {
		if !knownDialect(i.Dialect) {
			b.warn(KindIssuer, i.ID, "its dialect is not one that this version knows", "upgrade this node")
			continue // as a standard issuer it would be another than it was made as
		}
		base := i.Resolve(b.s.Base)
		host, path, err := splitURL(base)
		if err != nil {
			b.warn(KindIssuer, i.ID, "its URL cannot be used: "+err.Error(), "correct the URL")
			continue
		}
		if other, ok := taken[host+path]; ok {
			b.warn(KindIssuer, i.ID, "its URL is that of issuer "+other, "give it another URL")
			continue
		}
		taken[host+path] = i.ID
		v := &IssuerView{
			Issuer: i, Iss: i.iss(base), Base: base, Host: host, Path: path,
			Keys:     make(map[jose.Algorithm][]*Key),
			byID:     make(map[string]*target),
			byTarget: make(map[string]*target),
			serves:   make(map[string][]*API),
			denials:  b.s.Denials,
		}
		b.s.Issuers[i.ID] = v
		b.s.byHost[host] = append(b.s.byHost[host], v)
	}
	for _, views := range b.s.byHost {
		slices.SortFunc(views, func(x, y *IssuerView) int {
			if n := len(y.Path) - len(x.Path); n != 0 {
				return n
			}
			return strings.Compare(x.Path, y.Path)
		})
	}
}

func (b *builder) apis() {
	for _, id := range sortedKeys(b.s.APIs) {
		api := b.s.APIs[id]
		v := b.s.Issuers[api.Issuer]
		if v == nil {
			b.warn(KindAPI, id, "its issuer "+api.Issuer+" does not exist or cannot be used", "create the issuer, or delete the API")
			continue
		}
		t := newTarget(api)
		names := targetNames(api.Identifier)
		if slices.ContainsFunc(names, func(n string) bool { return v.byTarget[n] != nil }) {
			b.warn(KindAPI, id, "another API of its issuer has the same identifier", "give it another identifier")
			continue
		}
		for _, name := range names {
			v.byTarget[name] = t
		}
		v.byID[id] = t
		v.APIs = append(v.APIs, api)
		for _, client := range api.ResourceServers {
			v.serves[client] = append(v.serves[client], api)
		}
	}
}

func newTarget(api *API) *target {
	t := &target{api: api, apis: []*API{api}, audience: []string{api.Identifier}, legacy: !absoluteURI(api.Identifier)}
	for _, name := range sortedKeys(api.Scopes) {
		if api.Scopes[name].Default {
			t.marked = append(t.marked, name)
		}
	}
	return t
}

func (b *builder) keys() {
	slices.SortFunc(b.allKeys, func(x, y *Key) int {
		if n := x.Announced.Compare(y.Announced); n != 0 {
			return n
		}
		return strings.Compare(x.ID, y.ID)
	})
	for _, k := range b.allKeys {
		v := b.s.Issuers[k.Issuer]
		if v == nil {
			b.warn(KindKey, k.ID, "its issuer "+k.Issuer+" does not exist or cannot be used", "")
			continue
		}
		alg := jose.Algorithm(k.Algorithm)
		v.Keys[alg] = append(v.Keys[alg], k)
	}
}
