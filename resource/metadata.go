package resource

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/symbolon/symbolon"
)

// Metadata gives the pattern and the handler of the API's metadata (RFC 9728
// §3), as mux.Handle takes them. Its URL stands in every challenge, so that
// callers find the issuer by themselves. An API without a public URL has none:
// the handler answers 404.
func (a *API) Metadata() (pattern string, handler http.Handler) {
	if a.public == nil {
		return "GET " + symbolon.WellKnownResource, http.NotFoundHandler()
	}
	return "GET " + metadataPath(a.public), http.HandlerFunc(a.serveMetadata)
}

// metadataPath: RFC 9728 §3.1: between host and path.
func metadataPath(public *url.URL) string {
	path := public.EscapedPath()
	if path == "/" {
		path = ""
	}
	return symbolon.WellKnownResource + path
}

func (a *API) serveMetadata(w http.ResponseWriter, _ *http.Request) {
	doc := symbolon.ResourceMetadata{
		Resource:               a.cfg.Audience,
		AuthorizationServers:   a.cfg.issuers(),
		ScopesSupported:        a.known(),
		BearerMethodsSupported: []string{"header"},
		CertificateBound:       a.cfg.Bound == BoundMTLS,
		DPoPRequired:           a.cfg.Bound == BoundDPoP,
	}
	if a.cfg.takesDPoP(&a.possession) {
		doc.DPoPSigningAlgs = names(a.possession.algorithms)
	}
	body, err := json.Marshal(doc)
	if err != nil {
		a.WriteError(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Access-Control-Allow-Origin", "*") // public, and read by programs in browsers too
	w.Write(body)
}

// know adds scopes to the metadata.
func (a *API) know(scopes []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range scopes {
		a.scopes[s] = true
	}
}

func (a *API) known() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := slices.AppendSeq(slices.Clone(a.cfg.Scopes), maps.Keys(a.scopes))
	slices.Sort(all)
	return slices.Compact(all)
}
