package fetch

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// TestGet: what is read, and what is not.
func TestGet(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/doc", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "application/json" || r.Header.Get("Cookie") != "" {
			t.Errorf("%v", r.Header)
		}
		w.Write([]byte("{}"))
	})
	mux.HandleFunc("/full", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(strings.Repeat("x", symbolon.MaxBody))) })
	mux.HandleFunc("/more", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(strings.Repeat("x", symbolon.MaxBody+1)))
	})
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
		w.Write([]byte("x"))
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/doc", http.StatusFound) })
	for path, kind := range map[string]string{"/refused": "application/json", "/page": "text/html"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(http.StatusMisdirectedRequest)
			w.Write([]byte(strings.Repeat("x", maxRefusal+1)))
		})
	}
	s := httptest.NewServer(mux)
	defer s.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(at, []*http.Cookie{{Name: "a", Value: "b"}})
	hc := s.Client()
	hc.Jar = jar

	for path, want := range map[string]struct {
		status, octets int
		long, fails    bool
	}{
		"/doc":    {200, 2, false, false},
		"/full":   {200, symbolon.MaxBody, false, false},
		"/more":   {200, symbolon.MaxBody + 1, true, true},
		"/broken": {200, 1, false, true},
		"/away":   {302, 0, false, false},
		"/none":   {404, 0, false, false},
		// What a refusal says of itself, and no more of it.
		"/refused": {421, maxRefusal, false, false},
		"/page":    {421, 0, false, false},
	} {
		a, err := Get(t.Context(), hc, s.URL+path, "application/json")
		if a == nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if a.Status != want.status || len(a.Body) != want.octets || (err != nil) != want.fails || errors.Is(err, ErrTooLong) != want.long {
			t.Errorf("%s: %d, %d octets, %v", path, a.Status, len(a.Body), err)
		}
	}
	if hc.Jar != jar || hc.CheckRedirect != nil {
		t.Error("the caller's client was changed")
	}
	if a, err := Get(t.Context(), hc, "http://127.0.0.1:1/", "x"); a != nil || err == nil {
		t.Errorf("%v, %v", a, err)
	}
}

// TestRetryAfter: seconds or a time, and nothing else.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]struct {
		d    time.Duration
		said bool
	}{
		"":                              {},
		"0":                             {0, true},
		" 120 ":                         {2 * time.Minute, true},
		"Sun, 22 Nov 2026 10:00:30 GMT": {30 * time.Second, true},
		"Sun, 22 Nov 2026 09:59:00 GMT": {-time.Minute, true},
		"-1":                            {},
		"1.5":                           {},
		"99999999999999":                {},
		"soon":                          {},
	} {
		d, said := RetryAfter(http.Header{"Retry-After": {text}}, func() time.Time { return now })
		if d != want.d || said != want.said {
			t.Errorf("%q: %s %v, want %s %v", text, d, said, want.d, want.said)
		}
	}
}
