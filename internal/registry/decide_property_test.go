package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/symbolon/symbolon"
)

var (
	someIssuers = []string{"default", "partners"}
	someAPIs    = []string{"a0", "a1", "a2", "a3", "a4"}
	someScopes  = []string{"r", "w", "x", "a:r", "a:w"}
)

// drawWorld makes a snapshot of up to five APIs at two issuers that share
// names of scopes and, at different issuers, identifiers.
func drawWorld(t *rapid.T) *Snapshot {
	docs := []Doc{}
	encode := func(kind, id string, obj any) {
		b, err := Encode(obj, nil)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, Doc{Kind: kind, ID: id, Doc: b})
	}
	for _, id := range someIssuers {
		i := &Issuer{ID: id}
		if rapid.IntRange(0, 4).Draw(t, "issuer audience") == 0 {
			i.Audience = identifierOf(rapid.SampledFrom(someAPIs).Draw(t, "audience"))
		}
		encode(KindIssuer, id, i)
	}
	for _, id := range someAPIs {
		if rapid.IntRange(0, 4).Draw(t, "absent") == 0 {
			continue
		}
		a := &API{ID: id, Issuer: rapid.SampledFrom(someIssuers).Draw(t, "issuer"), Identifier: identifierOf(id), Scopes: map[string]Scope{}}
		for _, s := range drawSubset(t, someScopes, "defined") {
			a.Scopes[s] = Scope{Default: rapid.Bool().Draw(t, "marked")}
		}
		encode(KindAPI, id, a)
	}
	s, _ := Build("https://auth.example.com", Position{Seq: 1}, docs)
	return s
}

// identifierOf makes a legacy string of the last API.
func identifierOf(api string) string {
	if api == "a4" {
		return "legacy"
	}
	return "https://" + api + ".example"
}

func drawSubset(t *rapid.T, of []string, label string) []string {
	return slices.DeleteFunc(slices.Clone(of), func(string) bool { return rapid.Bool().Draw(t, label) })
}

func drawFacts(t *rapid.T, s *Snapshot) Facts {
	c := &Client{ID: "c", State: StateActive, Issuers: someIssuers, Access: map[string][]string{}}
	for _, id := range drawSubset(t, someAPIs, "access") {
		c.Access[id] = drawSubset(t, someScopes, "granted")
	}
	c.DefaultAPI = drawSubset(t, someAPIs, "default")
	names := []string{"https://nowhere.example"}
	for _, id := range someAPIs {
		names = append(names, identifierOf(id), identifierOf(id)+"/")
	}
	f := Facts{Issuer: s.Issuers[rapid.SampledFrom(someIssuers).Draw(t, "at")], Client: c}
	f.Scopes = rapid.SliceOfN(rapid.SampledFrom(append([]string{"unknown"}, someScopes...)), 0, 4).Draw(t, "scopes")
	f.Resources = rapid.SliceOfN(rapid.SampledFrom(names), 0, 2).Draw(t, "resources")
	if rapid.Bool().Draw(t, "with audience") {
		f.Audience = rapid.SampledFrom(names).Draw(t, "audience")
	}
	return f
}

func TestDecideNeverGrantsMoreThanAccess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawWorld(t)
		f := drawFacts(t, s)
		d, err := Decide(s, f, nil)
		if err != nil {
			var e *symbolon.Error
			if d != nil || !errors.As(err, &e) || e.Code != symbolon.InvalidScope && e.Code != symbolon.InvalidTarget {
				t.Fatalf("refused with %v and decision %v", err, d)
			}
			return
		}
		if len(d.APIs) != 1 || len(d.Audience) != 1 || d.Audience[0] != d.APIs[0].Identifier {
			t.Fatalf("APIs %v, audience %v", d.APIs, d.Audience)
		}
		api := d.APIs[0]
		if api.Issuer != f.Issuer.ID || s.APIs[api.ID] != api {
			t.Fatalf("API %s belongs to issuer %s, asked at %s", api.ID, api.Issuer, f.Issuer.ID)
		}
		granted, ok := f.Client.Access[api.ID]
		if !ok {
			t.Fatalf("no access to API %s", api.ID)
		}
		for i, scope := range d.Scopes {
			if _, defined := api.Scopes[scope]; !defined || !slices.Contains(granted, scope) || slices.Contains(d.Scopes[:i], scope) {
				t.Fatalf("scope %s of %v: granted %v, defined %v", scope, d.Scopes, granted, api.Scopes)
			}
		}
		// Nothing is narrowed: who asks gets exactly what was asked for.
		if len(f.Scopes) > 0 && !sameSet(f.Scopes, d.Scopes) {
			t.Fatalf("asked %v, got %v", f.Scopes, d.Scopes)
		}
		named := f.Resources
		if f.Audience != "" {
			named = append(slices.Clone(named), f.Audience)
		}
		for _, name := range named {
			if f.Issuer.Target(name, true) != api {
				t.Fatalf("%s was named, the token is for %s", name, api.ID)
			}
		}
	})
}

func sameSet(a, b []string) bool {
	set := func(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
	return slices.Equal(set(a), set(b))
}

func TestDecideIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawWorld(t)
		f := drawFacts(t, s)
		before, _ := json.Marshal(f.Client)
		var first symbolon.Trace
		d, err := Decide(s, f, &first)
		for range 5 {
			var again symbolon.Trace
			f.Client.Access = maps.Clone(f.Client.Access) // another order of iteration
			d2, err2 := Decide(s, f, &again)
			if !reflect.DeepEqual(d, d2) || fmt.Sprint(err, errors.Unwrap(err)) != fmt.Sprint(err2, errors.Unwrap(err2)) || !reflect.DeepEqual(first, again) {
				t.Fatalf("%v %v %v, then %v %v %v", d, err, first, d2, err2, again)
			}
		}
		if after, _ := json.Marshal(f.Client); string(after) != string(before) {
			t.Fatal("the client was changed")
		}
		checkTrace(t, &first, err == nil)
	})
}

// A program that names its API and its scopes keeps its token whatever else it
// is given access to.
func TestMoreAccessNeverLosesWhatWasNamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawWorld(t)
		f := drawFacts(t, s)
		if len(f.Issuer.APIs) == 0 {
			return
		}
		api := rapid.SampledFrom(f.Issuer.APIs).Draw(t, "named")
		f.Resources, f.Audience = nil, api.Identifier
		if absoluteURI(api.Identifier) && rapid.Bool().Draw(t, "as resource") {
			f.Resources, f.Audience = []string{api.Identifier}, ""
		}
		f.Scopes = drawSubset(t, sortedKeys(api.Scopes), "asked")
		f.Client.Access[api.ID] = slices.Clone(f.Scopes)
		if len(f.Scopes) == 0 {
			return
		}
		for range 2 {
			d, err := Decide(s, f, nil)
			if err != nil || d.APIs[0] != api || !slices.Equal(d.Scopes, f.Scopes) {
				t.Fatalf("%+v, %v; want %s %v", d, err, api.ID, f.Scopes)
			}
			for _, id := range drawSubset(t, someAPIs, "more access") {
				f.Client.Access[id] = append(f.Client.Access[id], drawSubset(t, someScopes, "more granted")...)
			}
		}
	})
}
