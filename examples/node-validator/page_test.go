package validator_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

const (
	pageIssuer = "https://auth.example.com"
	pageTime   = 1_800_000_100
)

// page is an issuer that answers with what stands in docs/revocation-set.md.
type page struct {
	*testing.T
	*httptest.Server
	keys, whole, difference string
	rows                    [][]string
	signers                 map[string]*jose.Signer // of tokens, by kid

	asked   chan string // queries of the requests for the set
	answers chan string
}

func newPage(t *testing.T) *page {
	text, err := os.ReadFile("../../docs/revocation-set.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile(`(?m)^\{"keys":.*$`).Find(text)
	sets := regexp.MustCompile("```text\n(ey\\S+)\n```").FindAllSubmatch(text, -1)
	rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| `(\\w+)` \\| (\\d+) \\| `(\\w+)` \\| `(\\w+)` \\| (\\w+) \\| (\\w+) \\|$").FindAllStringSubmatch(string(text), -1)
	if len(keys) == 0 || len(sets) != 2 || len(rows) != 9 {
		t.Fatalf("keys %q, %d sets, %d tokens", keys, len(sets), len(rows))
	}
	p := &page{T: t, keys: string(keys), whole: string(sets[0][1]), difference: string(sets[1][1]), rows: rows,
		signers: make(map[string]*jose.Signer), asked: make(chan string, 100), answers: make(chan string)}
	for _, kid := range []string{"k1", "k2"} {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if p.signers[kid], err = jose.NewSigner(private, jose.ES256, kid, symbolon.TypAccessToken); err != nil {
			t.Fatal(err)
		}
	}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Server.Close)
	return p
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"%[1]s/jwks","symbolon_revocations_uri":"%[1]s/revocations","symbolon_revocations_jwks_uri":"%[1]s/revocations/keys"}`, pageIssuer)
	case "/revocations/keys":
		io.WriteString(w, p.keys)
	case "/jwks":
		w.Write((&jose.KeySet{Keys: []*jose.Key{p.signers["k1"].Key(), p.signers["k2"].Key()}}).JSON())
	case "/revocations":
		p.asked <- r.URL.RawQuery
		select {
		case text := <-p.answers:
			io.WriteString(w, text)
		case <-r.Context().Done():
		}
	}
}

// validator is the one in Node at that time, to which the page's issuer is p.
func (p *page) validator(seconds int64) *world {
	script := fmt.Sprintf(`
		const real = globalThis.fetch
		Date.now = () => %d * 1000
		globalThis.fetch = (url, options) => real(url.replace(%q, %q), options)`, seconds, pageIssuer, p.URL)
	w := &world{T: p.T}
	w.api = startNode(p.T, pageIssuer, new(bytes.Buffer), preloaded(script)...)
	return w
}

// token is the one of a row of the page's table.
func (p *page) token(row []string) string {
	p.Helper()
	gen, _ := strconv.ParseInt(row[3], 10, 64)
	claims := symbolon.Claims{Issuer: pageIssuer, Subject: row[1], Audience: []string{audience}, Expiry: pageTime + 3600, IssuedAt: pageTime,
		ID: row[4], ClientID: row[1], Scope: "orders:read", Gen: gen, Cred: row[2]}
	text, err := p.signers[row[5]].Sign(claims.AppendJSON(nil))
	if err != nil {
		p.Fatal(err)
	}
	return text
}

// says compares what the validator says of all tokens with a column of the table.
func (p *page) says(w *world, column int) {
	p.Helper()
	for _, row := range p.rows {
		want := map[string]int{"denied": http.StatusUnauthorized, "good": http.StatusOK}[row[column]]
		if got, body := w.call(p.token(row)); got != want || want == http.StatusUnauthorized && !strings.Contains(body, revoked) {
			p.Errorf("%q: %d %s, want %d", row[1:6], got, body, want)
		}
	}
}

// asks demands that the next request begins so; "": it is for a whole set.
func (p *page) asks(query string) {
	p.Helper()
	if got := <-p.asked; query == "" && got != "" || !strings.HasPrefix(got, query) {
		p.Errorf("asks with %q, want %q", got, query)
	}
}

// TestTheSetsOfThePage: the validator says of the vectors of docs/revocation-set.md
// what that says.
func TestTheSetsOfThePage(t *testing.T) {
	t.Parallel()
	const afterFirst, afterBoth = "since=17&epoch=1&wait=20&journal=xHIsQIMMLoAeDs3h", "since=19&epoch=1&wait=20&journal=6JkzknusfhzH6ZLD"
	p := newPage(t)
	w := p.validator(pageTime)
	p.asks("")
	p.answers <- p.whole
	p.asks(afterFirst)
	p.says(w, 6)
	p.answers <- p.difference
	p.asks(afterBoth)
	p.says(w, 7)
	p.answers <- p.whole
	p.asks(strings.Replace(afterBoth, "wait=20", "wait=0", 1)) // it was not taken
	p.says(w, 7)
}

// TestTheSetsThatThePageRefuses: nothing is held after any of them.
func TestTheSetsThatThePageRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		at   int64
		text func(*page) string
	}{
		"the difference alone":       {pageTime, func(p *page) string { return p.difference }},
		"the first when it is past":  {1_800_000_360, func(p *page) string { return p.whole }},
		"a second before it is good": {1_800_000_359, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPage(t)
			w := p.validator(c.at)
			p.asks("")
			if c.text == nil {
				p.answers <- p.whole
				p.asks("since=17&epoch=1")
				p.says(w, 6)
				return
			}
			p.answers <- c.text(p)
			p.asks("")
			for _, row := range p.rows {
				if got, body := w.call(p.token(row)); got != http.StatusServiceUnavailable {
					t.Errorf("%q: %d %s", row[1:6], got, body)
				}
			}
		})
	}
}
