package server

import (
	"net/http"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/web"
)

var errAuthorize = symbolon.NewError(symbolon.UnsupportedResponse,
	"this server issues tokens to programs only: there is no login; send grant_type=client_credentials to the token endpoint")

// serveAuthorize refuses. The endpoint exists because the metadata parsers of
// some clients demand its URL. It never redirects, whatever redirect_uri says,
// so it can send nobody anywhere (RFC 6749 §4.1.2.1).
func (s *Server) serveAuthorize(_ Place, w http.ResponseWriter, _ *http.Request) error {
	web.ExchangeOf(w).Endpoint = "authorize"
	return errAuthorize
}
