package resource

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// feedIssuer is an issuer that also publishes what it denies. The test changes
// that, and how it is said.
type feedIssuer struct {
	*issuer
	key ed25519.PrivateKey
	now func() time.Time

	asked atomic.Int64 // requests for a set

	mu      sync.Mutex
	set     symbolon.RevocationSet // whole
	commits []int64                // of the entries
	news    chan struct{}
	answer  http.HandlerFunc                    // nil: the set
	change  func(*symbolon.RevocationSet)       // the last word before it is signed; may be nil
	header  string                              // of the JWS; empty: as it should be
	sign    func(header, payload string) []byte // nil: with key
	silent  bool                                // the metadata names no set
}

func newFeedIssuer(t testing.TB) *feedIssuer {
	t.Helper()
	f := unservedFeed(t)
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	f.url, f.set.Issuer = srv.URL, srv.URL
	return f
}

// unservedFeed is one that the test serves, under f.url and f.set.Issuer.
func unservedFeed(t testing.TB) *feedIssuer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &feedIssuer{
		issuer: &issuer{signers: []*jose.Signer{signer(t, jose.ES256, "k1", symbolon.TypAccessToken)}},
		key:    key, now: time.Now, news: make(chan struct{}),
		set: symbolon.RevocationSet{Epoch: 1, Seq: 10, Entries: []symbolon.RevocationEntry{}, Pending: []symbolon.PendingDenial{}, Merged: []string{}},
	}
}

func (f *feedIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		doc := map[string]any{"issuer": f.url, "jwks_uri": f.url + "/jwks", "response_types_supported": []string{}}
		f.mu.Lock()
		if !f.silent {
			doc["symbolon_revocations_uri"], doc["symbolon_revocations_jwks_uri"] = f.url+"/revocations", f.url+"/revocations/keys"
		}
		f.mu.Unlock()
		json.NewEncoder(w).Encode(doc)
	case "/revocations/keys":
		public, err := jose.NewKey(f.key.Public(), jose.EdDSA, "feed")
		if err != nil {
			panic(err)
		}
		w.Write((&jose.KeySet{Keys: []*jose.Key{public}}).JSON())
	case "/revocations":
		f.asked.Add(1)
		f.serveSet(w, r)
	default:
		f.issuer.ServeHTTP(w, r)
	}
}

// serveSet answers as docs/revocation-set.md says.
func (f *feedIssuer) serveSet(w http.ResponseWriter, r *http.Request) {
	since, _ := strconv.ParseInt(r.FormValue("since"), 10, 64)
	epoch, _ := strconv.ParseInt(r.FormValue("epoch"), 10, 64)
	wait, _ := strconv.Atoi(r.FormValue("wait"))
	f.mu.Lock()
	if f.answer != nil {
		h := f.answer
		f.mu.Unlock()
		h(w, r)
		return
	}
	if wait > 0 && f.set.Seq <= since && f.set.Epoch <= epoch {
		news := f.news
		f.mu.Unlock()
		select {
		case <-news:
		case <-r.Context().Done():
			return
		case <-time.After(time.Duration(wait) * time.Second):
		}
		f.mu.Lock()
	}
	text := f.text(since, epoch)
	f.mu.Unlock()
	w.Header().Set("Content-Type", symbolon.MediaRevocations)
	w.Write(text)
}

func (f *feedIssuer) text(since, epoch int64) []byte {
	s := f.set
	s.AsOf, s.Expires = f.now().Unix(), f.now().Add(5*time.Minute).Unix()
	if since > 0 && epoch == s.Epoch && since <= s.Seq {
		s.Since, s.Entries = since, []symbolon.RevocationEntry{}
		for i, e := range f.set.Entries {
			if f.commits[i] > since {
				s.Entries = append(s.Entries, e)
			}
		}
	}
	if f.change != nil {
		f.change(&s)
	}
	payload, err := json.Marshal(&s)
	if err != nil {
		panic(err)
	}
	header := f.header
	if header == "" {
		header = `{"alg":"EdDSA","kid":"feed","typ":"symbolon-revocations+jwt"}`
	}
	if f.sign != nil {
		return f.sign(header, string(payload))
	}
	return signFeed(f.key, header, payload)
}

func signFeed(key ed25519.PrivateKey, header string, payload []byte) []byte {
	b := base64.RawURLEncoding.AppendEncode(nil, []byte(header))
	b = append(b, '.')
	b = base64.RawURLEncoding.AppendEncode(b, payload)
	sum := ed25519.Sign(key, b)
	return base64.RawURLEncoding.AppendEncode(append(b, '.'), sum)
}

// update changes the feed and wakes who waits.
func (f *feedIssuer) update(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.news)
	f.news = make(chan struct{})
}

// deny adds a denial in a commit of its own; n 0: whatever gen is.
func (f *feedIssuer) deny(n int64, kind string, parts ...string) {
	f.update(func() {
		f.set.Seq++
		f.set.Entries = append(f.set.Entries, symbolon.RevocationEntry{
			Key: symbolon.NewDenialKey(f.set.Epoch, kind, parts...), Expires: f.now().Add(time.Hour).Unix(), N: n,
		})
		f.commits = append(f.commits, f.set.Seq)
	})
}

// until waits for a condition that a background request brings about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 10 s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
