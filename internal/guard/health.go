package guard

import (
	"net/http"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/web"
	"github.com/symbolon/symbolon/resource"
)

const (
	livezPath  = "/livez"
	readyzPath = "/readyz"
)

var errNoEndpoint = symbolon.NewError(symbolon.NotFound, "there is nothing here: the guard's own endpoints are /forward-auth, /livez and /readyz")

// serveHealth answers on the listener for probes.
func (g *Guard) serveHealth(w http.ResponseWriter, r *http.Request) error {
	if isHealth(r) {
		return g.health(w, r)
	}
	return errNoEndpoint
}

func isHealth(r *http.Request) bool { return r.RequestURI == livezPath || r.RequestURI == readyzPath }

// health says whether the guard is there, and whether to send requests to it.
func (g *Guard) health(w http.ResponseWriter, r *http.Request) error {
	web.ExchangeOf(w).Endpoint = r.RequestURI[1:]
	status, text := http.StatusOK, "ok"
	if r.RequestURI == readyzPath {
		switch {
		case g.draining.Load():
			status, text = http.StatusServiceUnavailable, "draining"
		default:
			if err := g.api.Ready(); err != nil {
				status, text = http.StatusServiceUnavailable, symbolon.AsError(err).Description
			} else if err := g.api.Degraded(); err != nil {
				// Other tokens are judged as ever: no reason to send them elsewhere.
				text = "degraded: " + symbolon.AsError(err).Description
			}
		}
	}
	return web.Health(w, r, status, text)
}

// metadataOf gives where the API's metadata is (RFC 9728 §3), and what answers
// there.
func metadataOf(api *resource.API) (path string, h http.Handler) {
	pattern, h := api.Metadata()
	_, path, _ = strings.Cut(pattern, " ")
	return path, h
}

// isMetadata: challenges name this URL, so it is the guard that answers there.
func (g *Guard) isMetadata(r *http.Request) bool {
	return r.RequestURI == g.wellKnown && (r.Method == http.MethodGet || r.Method == http.MethodHead)
}
