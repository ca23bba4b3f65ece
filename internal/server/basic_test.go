package server

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/symbolon/symbolon/internal/registry"
)

func basic(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }

func TestBasic(t *testing.T) {
	tests := map[string]struct {
		header, id, secret string
		err                error
	}{
		"RFC 6749 §2.3.1's example":    {header: "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3", id: "s6BhdRkqt3", secret: "7Fjfp0ZBr1KtDRbnfVdmIw"},
		"RFC 6749 §2.3.1: decoded":     {header: basic("a%3Ab+c:%25d%2B"), id: "a:b c", secret: "%d+"},
		"RFC 6749 App. B's example":    {header: basic("x:+%25%26%2B%C2%A3%E2%82%AC"), id: "x", secret: " %&+£€"},
		"a secret may hold colons":     {header: basic("a:b:c"), id: "a", secret: "b:c"},
		"an empty secret":              {header: basic("a:"), id: "a"},
		"RFC 9110 §11.1: scheme, case": {header: "bASIC YTpi", id: "a", secret: "b"},
		"RFC 9110 §11.4: 1*SP":         {header: "Basic   YTpi", id: "a", secret: "b"},

		"another scheme":                    {header: "Bearer YTpi", err: registry.ErrClient},
		"no scheme":                         {header: "YTpi", err: registry.ErrClient},
		"nothing":                           {header: "", err: registry.ErrClient},
		"a scheme that begins like Basic":   {header: "BasicYTpi", err: registry.ErrClient},
		"no credentials":                    {header: "Basic", err: errBasic},
		"no colon":                          {header: basic("ab"), err: errBasic},
		"no client":                         {header: basic(":b"), err: errBasic},
		"a broken escape":                   {header: basic("a:100%"), err: errBasic},
		"base64 without its padding":        {header: "Basic YTpiYw", err: errBasic},
		"base64 with loose trailing bits":   {header: "Basic YTpiYx==", err: errBasic},
		"base64 with a line break":          {header: "Basic YT\npi", err: errBasic},
		"base64 with a space":               {header: "Basic YT pi", err: errBasic},
		"base64url":                         {header: "Basic Pz8_Oj8_", err: errBasic},
		"something behind":                  {header: "Basic YTpi, Basic YTpi", err: errBasic},
		"a control character":               {header: basic("a:b\x00"), err: errBasic},
		"a control character, escaped":      {header: basic("a:b%00"), err: errBasic},
		"a control character in the client": {header: basic("a%0D:b"), err: errBasic},
		"not UTF-8":                         {header: basic("a:\xff"), err: errBasic},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			id, secret, err := parseBasic(c.header)
			if !errors.Is(err, c.err) || id != c.id || secret != c.secret {
				t.Errorf("%q %q %v", id, secret, err)
			}
		})
	}
}

// FuzzBasic: what is accepted is what net/http reads, form-decoded; and there is
// only one spelling of its base64, so none of its octets is ignored.
func FuzzBasic(f *testing.F) {
	for _, seed := range []string{"Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3", basic("a%3Ab+c:%25d%2B"), "basic YTpi", "Basic", "Bearer x", "Basic  YTpi", "Basic YT\npi"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		id, secret, err := parseBasic(header)
		if err != nil {
			if id != "" || secret != "" {
				t.Errorf("an error, and %q %q", id, secret)
			}
			return
		}
		scheme, rest, _ := strings.Cut(header, " ")
		rest = strings.TrimLeft(rest, " ")
		r := http.Request{Header: http.Header{"Authorization": {scheme + " " + rest}}}
		user, password, ok := r.BasicAuth()
		if !ok {
			t.Fatalf("net/http refuses %q", header)
		}
		if base64.StdEncoding.EncodeToString([]byte(user+":"+password)) != rest {
			t.Errorf("%q is not the one spelling of its content", rest)
		}
		wantID, err1 := url.QueryUnescape(user)
		wantSecret, err2 := url.QueryUnescape(password)
		if err1 != nil || err2 != nil || wantID != id || wantSecret != secret {
			t.Errorf("%q %q, net/http and net/url read %q %q", id, secret, wantID, wantSecret)
		}
		for _, part := range []string{id, secret} {
			if !utf8.ValidString(part) || strings.ContainsFunc(part, func(r rune) bool { return r < 0x80 && unicode.IsControl(r) }) {
				t.Errorf("let through: %q", part)
			}
		}
		// Both parts encoded anew are read back the same.
		id2, secret2, err := parseBasic(basic(url.QueryEscape(id) + ":" + url.QueryEscape(secret)))
		if err != nil || id2 != id || secret2 != secret {
			t.Errorf("round trip: %q %q %v", id2, secret2, err)
		}
	})
}

// FuzzScope: what is accepted holds only RFC 6749 §3.3's characters, and joins
// to the same list.
func FuzzScope(f *testing.F) {
	for _, seed := range []string{"a b", " a", "a  b ", `a"b`, "é", "a\tb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, scope string) {
		list, err := splitScope(scope)
		if err != nil {
			return
		}
		if strings.Join(list, " ") != strings.Join(strings.Fields(scope), " ") {
			t.Errorf("%q became %q", scope, list)
		}
		for _, one := range list {
			for _, c := range []byte(one) {
				if c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
					t.Errorf("let through: %q", one)
				}
			}
		}
	})
}
