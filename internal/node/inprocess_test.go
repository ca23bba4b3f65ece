package node

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

// TestInProcess: the same answers as over the network, to the issuer's own URL,
// which nothing but this process needs to know.
func TestInProcess(t *testing.T) {
	s := start(t, Config{URL: "https://auth.example.test", TrustedProxies: []string{"192.0.2.1"}})
	secret := s.seed(t)
	hc := &http.Client{Transport: inProcess{s.Handler()}}
	ask := func(method, target, body string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := hc.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.ContentLength != int64(len(text)) {
			t.Fatal(resp.ContentLength, len(text), err)
		}
		return resp, string(text)
	}
	for target, want := range map[string]int{
		"https://auth.example.test" + symbolon.WellKnownServer:     http.StatusOK,
		"https://auth.example.test:443" + symbolon.WellKnownServer: http.StatusOK,
		"https://auth.example.test/jwks?x=y":                       http.StatusOK,
		"https://auth.example.test/jw%6Bs":                         http.StatusNotFound,
		"https://other.example.test/jwks":                          http.StatusMisdirectedRequest,
	} {
		resp, text := ask(http.MethodGet, target, "")
		if resp.StatusCode != want || resp.Header.Get("Request-Id") == "" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %d %s %v", target, resp.StatusCode, text, resp.Header)
		}
	}
	resp, text := ask(http.MethodPost, "https://auth.example.test/token", "grant_type=client_credentials&client_id=billing&client_secret="+secret)
	if resp.StatusCode != http.StatusOK || !strings.Contains(text, "access_token") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	if resp, text := ask(http.MethodPost, "https://auth.example.test/token", strings.Repeat("x", symbolon.MaxBody+1)); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

// TestInProcessWaitsNoLonger than whoever asks, and a handler that gives up takes
// nobody along.
func TestInProcessWaitsNoLonger(t *testing.T) {
	s := start(t, Config{})
	set := s.revocations(t.Context(), t, s.url, "")
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/revocations"+after(set), nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := inProcess{s.Handler()}.RoundTrip(req)
		ended <- err
	}()
	s.waits(1)
	cancel()
	if err := <-ended; err != context.Canceled {
		t.Error(err)
	}
	req = req.WithContext(t.Context())
	_, err = inProcess{http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })}.RoundTrip(req)
	if err == nil {
		t.Error("no error")
	}
}
