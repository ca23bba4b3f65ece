package server

import (
	"net/http"

	"github.com/symbolon/symbolon"
)

var errAuthorize = symbolon.NewError(symbolon.UnsupportedResponse,
	"this server issues tokens to programs only: there is no login; send grant_type=client_credentials to the token endpoint")

// serveAuthorize refuses. The endpoint exists because the metadata parsers of
// some clients demand its URL. It never redirects, whatever redirect_uri says,
// so it can send nobody anywhere (RFC 6749 §4.1.2.1).
func (s *Server) serveAuthorize(Place, http.ResponseWriter, *http.Request) error {
	return errAuthorize
}
