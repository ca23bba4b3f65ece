package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// page is a public document as it leaves: made once, sent many times. Its
// header values are shared by all answers and never written to.
type page struct {
	body        []byte
	contentType []string
	etag        []string
}

// publicCache lets verifiers and proxies keep keys and metadata for five
// minutes; keys are announced for much longer before they sign.
var publicCache = []string{"public, max-age=300"}

func newPage(contentType string, body []byte) *page {
	sum := sha256.Sum256(body)
	return &page{
		body:        body,
		contentType: []string{contentType},
		etag:        []string{`"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`},
	}
}

// serve answers with the page, or with 304 when the client has it already.
func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cache-Control"] = publicCache
	h["Etag"] = p.etag
	if etagMatches(p.etag[0], r.Header["If-None-Match"]) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = p.contentType
	w.Write(p.body)
}

// etagMatches is the weak comparison of RFC 9110 §13.1.2 with the lines of
// If-None-Match.
func etagMatches(etag string, lines []string) bool {
	etag = strings.TrimPrefix(etag, "W/")
	for _, line := range lines {
		for one := range strings.SplitSeq(line, ",") {
			one = strings.Trim(one, " \t")
			if one == "*" || strings.TrimPrefix(one, "W/") == etag {
				return true
			}
		}
	}
	return false
}

// documents are the public pages of one issuer.
type documents struct {
	view     *registry.IssuerView // what they were made of
	metadata *page
	jwks     *page
	pem      map[string]*page // by kid
	until    time.Time        // when a key's planned time changes the pages; zero: never
}

// library holds the documents of each issuer, made at the first request after
// its view has changed: snapshots share the views that a commit did not touch.
type library struct {
	config *Config

	mu       sync.Mutex
	byIssuer map[string]*documents
}

// published gives the documents of the place's issuer to an endpoint, which
// takes GET only.
func (s *Server) published(at Place, w http.ResponseWriter, r *http.Request) (*documents, error) {
	if err := web.CheckMethod(w, r, http.MethodGet); err != nil {
		return nil, err
	}
	// Keys and issuers of a replica that is too old may be revoked by now.
	if s.stale(at.Issuer) {
		return nil, errStale
	}
	return s.library.get(at, s.cfg.Now())
}

func (l *library) get(at Place, now time.Time) (*documents, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.byIssuer[at.Issuer.ID]
	if d != nil && d.view == at.Issuer && (d.until.IsZero() || now.Before(d.until)) {
		return d, nil
	}
	d, err := l.newDocuments(at, now)
	if err != nil {
		return nil, err
	}
	if l.byIssuer == nil {
		l.byIssuer = make(map[string]*documents)
	}
	l.byIssuer[at.Issuer.ID] = d
	maps.DeleteFunc(l.byIssuer, func(id string, _ *documents) bool { return at.Snapshot.Issuers[id] == nil })
	return d, nil
}

func (l *library) newDocuments(at Place, now time.Time) (*documents, error) {
	v := at.Issuer
	metadata, err := json.Marshal(l.config.metadataOf(v, at.Dialect))
	if err != nil {
		return nil, err
	}
	list, until, unusable := publishedKeys(v, now)
	for _, err := range unusable {
		l.config.Logger.Warn("a key is not published", "issuer", v.ID, "reason", err, "fix", "symbolon key revoke, so that the next one takes over")
	}
	d := &documents{
		view:     v,
		metadata: newPage("application/json", metadata),
		jwks:     newPage("application/json", (&jose.KeySet{Keys: list}).JSON()),
		pem:      make(map[string]*page, len(list)),
		until:    until,
	}
	for _, k := range list {
		d.pem[k.ID] = newPage("application/x-pem-file", k.PEM())
	}
	return d, nil
}
