package client

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// TestRFC8414_4_IssuersAreComparedByCodePoints: after the JSON's own escapes,
// and after nothing else: no case is folded, no percent escape decoded, no
// accent composed.
func TestRFC8414_4_IssuersAreComparedByCodePoints(t *testing.T) {
	const composed, decomposed = "\u00e9", "e\u0301" // both are shown as é
	for _, c := range []struct {
		asked, named string // paths; the second as JSON text
		same         bool
	}{
		{"/" + composed, "/" + composed, true},
		{"/" + composed, `\/\u00e9`, true},
		{"/" + composed, "/" + decomposed, false},
		{"/" + decomposed, "/" + composed, false},
		{"/" + decomposed, `/e\u0301`, true},
		{"/" + composed, "/%C3%A9", false},
		{"/a", "/A", false},
		{"/a", "/%61", false},
		{"/a", "/a/", false},
		{"/a", `/\u0061`, true},
	} {
		var s *httptest.Server
		s = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"issuer":"%s%s","token_endpoint":"%s/token"}`, s.URL, c.named, s.URL)
		}))
		if _, err := Discover(t.Context(), s.Client(), s.URL+c.asked); (err == nil) != c.same {
			t.Errorf("%+q asked, %q named: %v", c.asked, c.named, err)
		}
	}
}

// TestRFC8414_3_1_MetadataIsAskedForByGET, at both of its places.
func TestRFC8414_3_1_MetadataIsAskedForByGET(t *testing.T) {
	var asked []string
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.RequestURI())
		http.NotFound(w, r)
	}))
	if _, err := Discover(t.Context(), s.Client(), s.URL+"/x/"); err == nil {
		t.Error("no error")
	}
	want := []string{"GET /.well-known/oauth-authorization-server/x", "GET /x/.well-known/openid-configuration"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q", asked)
	}
}
