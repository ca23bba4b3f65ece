package server

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/symbolon/symbolon"
)

func TestForm(t *testing.T) {
	tests := map[string]struct {
		body string
		want form
		err  error
	}{
		"RFC 6749 §4.4.2":               {body: "grant_type=client_credentials&scope=a+b", want: form{grantType: "client_credentials", scope: "a b"}},
		"RFC 6749 App. B: escapes":      {body: "scope=%20%25%26%2B%C2%A3%E2%82%AC&client_id=a%2Fb", want: form{scope: " %&+£€", clientID: "a/b"}},
		"names are escaped too":         {body: "%67rant_type=x", want: form{grantType: "x"}},
		"RFC 6749 §3.2: empty = absent": {body: "grant_type=x&scope=&audience&resource=", want: form{grantType: "x"}},
		"RFC 6749 §3.2: unknown ones":   {body: "grant_type=x&colour=blue&line=%0A&=z&Scope=b", want: form{grantType: "x"}},
		"RFC 8707 §2: resource repeats": {body: "resource=a&resource=b&resource=a", want: form{resources: []string{"a", "b"}}},
		"an assertion is noticed":       {body: "client_assertion=x&client_assertion_type=y", want: form{assertion: "x", assertionType: "y"}},
		"empty pairs":                   {body: "&&grant_type=x&", want: form{grantType: "x"}},
		"nothing":                       {body: ""},
		"64 parameters":                 {body: many(symbolon.MaxParameters)},

		"RFC 6749 §3.2: repeated":       {body: "scope=a&scope=a", err: errRepeated},
		"repeated, one of them empty":   {body: "scope=&scope=a", err: errRepeated},
		"repeated, spelt differently":   {body: "scope=a&%73cope=b", err: errRepeated},
		"repeated, without a meaning":   {body: "x=1&x=2", err: errRepeated},
		"65 parameters":                 {body: many(symbolon.MaxParameters + 1), err: errTooMany},
		"65 parameters, one name":       {body: strings.Repeat("resource=a&", symbolon.MaxParameters+1), err: errTooMany},
		"a broken escape":               {body: "scope=%", err: errForm},
		"a broken escape in a name":     {body: "%zz=1", err: errForm},
		"a broken escape nobody reads":  {body: "colour=%2", err: errForm},
		"a semicolon":                   {body: "scope=a;client_id=b", err: errForm},
		"a control character":           {body: "client_secret=a%00", err: errCharacters},
		"a control character, resource": {body: "resource=https%3A%2F%2Fa%0D%0A", err: errCharacters},
		"a raw line break":              {body: "client_secret=a\n", err: errCharacters},
		"DEL":                           {body: "client_id=a%7F", err: errCharacters},
		"not UTF-8":                     {body: "scope=%ff", err: errCharacters},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			var got form
			err := got.parse(c.body)
			if err != c.err {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(form{})); err == nil && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "p%d=x&", i)
	}
	return b.String()
}

// FuzzForm: what is accepted, net/url reads in the same way, each parameter
// once. So nobody on the way can have seen another request.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"grant_type=client_credentials&scope=a+b&resource=https%3A%2F%2Fa&resource=b", "scope=a&scope=b", "a=%", "a;b=c", "=", "&", "client_secret=%00", "%73cope=x&audience=%C3%A9",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var got form
		if got.parse(body) != nil {
			return
		}
		values, err := url.ParseQuery(body)
		if err != nil {
			t.Fatalf("net/url refuses %q: %v", body, err)
		}
		if n := strings.Count(body, "&") + 1; len(values) > symbolon.MaxParameters || len(values) > n {
			t.Fatalf("%d parameters of %q", len(values), body)
		}
		for name, list := range values {
			if name != "resource" && len(list) != 1 {
				t.Fatalf("%q has %d values in %q", name, len(list), body)
			}
		}
		for name, value := range map[string]string{
			"grant_type": got.grantType, "client_id": got.clientID, "client_secret": got.clientSecret, "scope": got.scope, "audience": got.audience,
		} {
			if values.Get(name) != value || !printable(value) {
				t.Errorf("%s is %q, net/url reads %q in %q", name, value, values.Get(name), body)
			}
		}
		want := slices.DeleteFunc(values["resource"], func(s string) bool { return s == "" })
		for i, r := range got.resources {
			if !slices.Contains(want, r) || slices.Contains(got.resources[:i], r) {
				t.Errorf("resources %q, net/url reads %q", got.resources, want)
			}
		}
		for _, r := range want {
			if !slices.Contains(got.resources, r) {
				t.Errorf("resource %q is lost", r)
			}
		}
		if got.assertion != values.Get("client_assertion") || got.assertionType != values.Get("client_assertion_type") {
			t.Errorf("assertion %v %v in %q", got.assertion, got.assertionType, body)
		}
	})
}
