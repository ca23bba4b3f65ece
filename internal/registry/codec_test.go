package registry

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDecodeEveryKind(t *testing.T) {
	day := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for kind, obj := range map[string]any{
		KindIssuer:        &Issuer{ID: "partners", URL: "https://p.example", Token: IssuerToken{Lifetime: DefaultLifetime}, Keys: KeySchedule{Rotate: DefaultRotate}},
		KindAPI:           &API{ID: "orders", Issuer: "default", Identifier: "https://o.example", Scopes: scopes("a*", "b"), ResourceServers: []string{"orders-api"}},
		KindClient:        goodClient(),
		KindKey:           &Key{ID: "k", Issuer: "default", Algorithm: "ES256", Public: json.RawMessage(`{"kty":"EC"}`), Announced: day, Activates: day},
		KindOperator:      &Operator{ID: "ann", Role: RoleAdmin},
		KindOperatorToken: &OperatorToken{ID: "ci", Name: "CI", Role: RoleOperator, Issuers: []string{"okta"}, SSWS: true, Expires: day, Hash: goodHash},
		KindDenial: &Denial{ID: "client:c", What: DenyClient, Client: "c", N: 1<<40 + 5, Expires: day,
			Merged: []MergedDenial{{ID: "j1", Expires: day}}},
	} {
		t.Run(kind, func(t *testing.T) {
			b, err := Encode(obj, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(b), `{"v":1,"min":1,`) {
				t.Errorf("no version in front: %s", b)
			}
			got, err := Decode(kind, b)
			if err != nil {
				t.Fatal(err)
			}
			reflect.ValueOf(obj).Elem().FieldByName("Meta").Set(reflect.ValueOf(Meta{V: 1, Min: 1}))
			if diff := cmp.Diff(obj, got); diff != "" {
				t.Error(diff)
			}
			again, err := Encode(got, b)
			if err != nil || string(again) != string(b) {
				t.Errorf("not stable: %v\n%s\n%s", err, b, again)
			}
		})
	}
}

func TestShortForms(t *testing.T) {
	a, err := decodeAs[API](KindAPI, []byte(`{"scopes":{"a":"Read","b":{"description":"Write","default":true}}}`))
	if want := map[string]Scope{"a": {Description: "Read"}, "b": {Description: "Write", Default: true}}; err != nil || !reflect.DeepEqual(a.Scopes, want) {
		t.Errorf("%v, %v", a, err)
	}
	for text, want := range map[string]OneOrMore{`"a"`: {"a"}, `["a","b"]`: {"a", "b"}, `null`: nil} {
		c, err := DecodeClient([]byte(`{"default_api":` + text + `}`))
		if err != nil || !slices.Equal(c.DefaultAPI, want) {
			t.Errorf("%s: %v, %v", text, c, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range []struct{ name, kind, doc string }{
		{"not JSON", KindClient, `{"id":`},
		{"nothing", KindClient, ``},
		{"a list", KindClient, `[]`},
		{"wrong type of id", KindClient, `{"id":5}`},
		{"wrong type deep inside", KindClient, `{"secrets":[{"id":"s1","hash":["hunter2"]}]}`},
		{"wrong duration", KindIssuer, `{"token":{"lifetime":"hunter2"}}`},
		{"wrong scope", KindAPI, `{"scopes":{"a":5}}`},
		{"wrong default API", KindClient, `{"default_api":5}`},
		{"wrong min", KindAPI, `{"min":"hunter2"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			obj, err := Decode(tt.kind, []byte(tt.doc))
			if obj != nil || !errors.Is(err, errDocument) {
				t.Fatalf("got %v, %v", obj, err)
			}
			if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), tt.kind) {
				t.Errorf("got %q", err)
			}
		})
	}
}

func TestNewerDocuments(t *testing.T) {
	// Its members may have types that this version cannot read.
	newer := []byte(`{"v":9,"min":2,"id":["a","b"]}`)
	for _, kind := range []string{KindIssuer, KindAPI, KindClient, KindKey, KindOperator, KindDenial} {
		if obj, err := Decode(kind, newer); obj != nil || !errors.Is(err, ErrNewer) {
			t.Errorf("%s: %v, %v", kind, obj, err)
		}
	}
	if _, err := Decode("rule", []byte(`{}`)); !errors.Is(err, ErrNewer) {
		t.Errorf("a kind of a later version: %v", err)
	}
	if _, err := Encode(&Operator{ID: "a"}, newer); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer document was overwritten: %v", err)
	}
	// A newer document that this version may use keeps its version.
	o, err := decodeAs[Operator](KindOperator, []byte(`{"v":9,"min":1,"id":"a","role":"admin","future":1}`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Encode(o, []byte(`{"v":9,"min":1,"id":"a","role":"admin","future":1}`))
	if want := `{"v":9,"min":1,"id":"a","role":"admin","future":1}`; err != nil || string(b) != want {
		t.Errorf("got %s, %v", b, err)
	}
}

func TestUnknownMembersAreKept(t *testing.T) {
	tests := []struct {
		name, kind, previous string
		change               func(any)
		want                 string
	}{
		{"at the top", KindOperator, `{"v":1,"min":1,"id":"a","role":"admin","x":{"y":[1,2]},"w":"<&>"}`,
			func(o any) { o.(*Operator).Role = "viewer" },
			`{"v":1,"min":1,"id":"a","role":"viewer","x":{"y":[1,2]},"w":"<&>"}`},
		{"a known member that was removed stays removed", KindOperator, `{"v":1,"min":1,"id":"a","name":"Ann","role":"admin","x":1}`,
			func(o any) { o.(*Operator).Name = "" },
			`{"v":1,"min":1,"id":"a","role":"admin","x":1}`},
		{"in a structure", KindAPI, `{"v":1,"min":1,"id":"o","issuer":"default","identifier":"i","token":{"lifetime":"10m","x":1}}`,
			func(o any) { o.(*API).Token.Typ = "JWT" },
			`{"v":1,"min":1,"id":"o","issuer":"default","identifier":"i","token":{"lifetime":"10m","typ":"JWT","x":1}}`},
		{"in a structure that is now empty", KindAPI, `{"v":1,"min":1,"id":"o","issuer":"default","identifier":"i","token":{"lifetime":"10m","x":1}}`,
			func(o any) { o.(*API).Token = APIToken{} },
			`{"v":1,"min":1,"id":"o","issuer":"default","identifier":"i","token":{"x":1}}`},
		{"a structure that is now empty, with nothing unknown", KindAPI, `{"v":1,"min":1,"id":"o","issuer":"default","identifier":"i","token":{"lifetime":"10m"}}`,
			func(o any) { o.(*API).Token = APIToken{} },
			`{"v":1,"min":1,"id":"o","issuer":"default","identifier":"i"}`},
		{"in a map's values, by key", KindAPI, `{"v":1,"min":1,"id":"o","issuer":"d","identifier":"i","scopes":{"a":{"x":1},"b":{"x":2},"c":"old form"}}`,
			func(o any) {
				o.(*API).Scopes["b"], o.(*API).Scopes["d"] = Scope{Default: true}, Scope{}
				delete(o.(*API).Scopes, "a")
			},
			`{"v":1,"min":1,"id":"o","issuer":"d","identifier":"i","scopes":{"b":{"default":true,"x":2},"c":{"description":"old form"},"d":{}}}`},
		{"in a list, by id, in any order", KindClient, `{"v":1,"min":1,"id":"c","state":"active","secrets":[{"id":"s1","hash":"h1","x":1},{"id":"s2","hash":"h2","x":2},{"id":"s3","hash":"h3","x":3}]}`,
			func(o any) {
				s := o.(*Client).Secrets
				o.(*Client).Secrets = []Secret{s[2], {ID: "s4", Hash: "h4"}, s[0]}
			},
			`{"v":1,"min":1,"id":"c","state":"active","secrets":[{"id":"s3","hash":"h3","x":3},{"id":"s4","hash":"h4"},{"id":"s1","hash":"h1","x":1}]}`},
		{"a key of a map that was removed stays removed", KindClient, `{"v":1,"min":1,"id":"c","labels":{"a":"1","b":"2"},"state":"active","access":{"x":["1"],"y":["2"]},"x":1}`,
			func(o any) { delete(o.(*Client).Labels, "a"); delete(o.(*Client).Access, "y") },
			`{"v":1,"min":1,"id":"c","labels":{"b":"2"},"state":"active","access":{"x":["1"]},"x":1}`},
		{"values of claims are values", KindClient, `{"v":1,"min":1,"id":"c","state":"active","claims":{"a":{"x":1}}}`,
			func(o any) { o.(*Client).Claims["a"] = json.RawMessage(`{"y":2}`) },
			`{"v":1,"min":1,"id":"c","state":"active","claims":{"a":{"y":2}}}`},
		{"times and durations are values", KindIssuer, `{"v":1,"min":1,"created":"2026-01-02T03:04:05Z","id":"p","token":{"lifetime":"10m"},"x":1}`,
			func(o any) { o.(*Issuer).Token.Lifetime = Duration(time.Minute) },
			`{"v":1,"min":1,"created":"2026-01-02T03:04:05Z","id":"p","token":{"lifetime":"1m"},"x":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			obj, err := Decode(tt.kind, []byte(tt.previous))
			if err != nil {
				t.Fatal(err)
			}
			tt.change(obj)
			got, err := Encode(obj, []byte(tt.previous))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestEncodeRefusesABrokenPrevious(t *testing.T) {
	for _, previous := range []string{"", "[]", `{"id":`, `{"v":"x"}`} {
		if b, err := Encode(&Operator{ID: "a"}, []byte(previous)); err == nil {
			t.Errorf("%q: %s", previous, b)
		}
	}
}

// Whatever a later version adds, at any level, an older one that changes
// nothing writes back the same members.
func TestRoundTripKeepsEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clientDoc, err := Encode(goodClient(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		if err := json.Unmarshal(clientDoc, &tree); err != nil {
			t.Fatal(err)
		}
		sow(t, tree, "")
		before, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		c, err := DecodeClient(before)
		if err != nil {
			t.Fatal(err)
		}
		after, err := Encode(c, before)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(after, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tree, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// sow puts members that no version knows into the objects of a tree, but for
// those whose keys are data.
func sow(t *rapid.T, node any, path string) {
	switch n := node.(type) {
	case map[string]any:
		for key, child := range n {
			if !slices.Contains([]string{"labels", "access", "claims"}, key) {
				sow(t, child, path+"."+key)
			}
		}
		for _, name := range rapid.SliceOfNDistinct(rapid.StringMatching(`future_[a-z]{1,3}`), 0, 2, rapid.ID[string]).Draw(t, path) {
			n[name] = rapid.SampledFrom([]any{nil, 1.5, "x", []any{map[string]any{"id": "s1"}}, map[string]any{"id": true}}).Draw(t, path+"."+name)
		}
	case []any:
		for _, child := range n {
			sow(t, child, path)
		}
	}
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte(`{"v":2,"min":1,"id":"c","state":"active","secrets":[{"id":"s1","hash":"h","x":1}],"x":[{}]}`))
	f.Add([]byte(`{"id":"c","secrets":[{"id":"s1"},{"id":"s1"}],"Id":"d"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := DecodeClient(text)
		if err != nil {
			return
		}
		b, err := Encode(c, text)
		if err != nil {
			return
		}
		if _, err := DecodeClient(b); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		again, err := Encode(c, b)
		if err != nil || string(again) != string(b) {
			t.Fatalf("not stable: %v\n%s\n%s", err, b, again)
		}
	})
}
