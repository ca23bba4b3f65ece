package symbolontest

import (
	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/resource"
)

// OpaqueAPI is API whose tokens only the server can read: the API's own half asks
// it about each (RFC 7662), as a client "ID-api" with a secret, and so can others
// that serve the API.
func (s *Server) OpaqueAPI(id string, scopes ...string) *API {
	s.t.Helper()
	server := id + "-api"
	made, _, err := s.node.Admin().CreateClient(s.t.Context(), admin.System(), admin.CreateClient{Client: registry.Client{ID: server}})
	if err != nil {
		s.t.Fatal(err)
	}
	a := s.api(registry.API{ID: id, Token: registry.APIToken{Format: registry.FormatOpaque}, ResourceServers: []string{server}}, scopes)
	a.AskerID, a.AskerSecret = server, made.Secret.Reveal()
	return a
}

// introspection is how the API asks; nil: its tokens are signed.
func (a *API) introspection() *resource.Introspection {
	if a.AskerID == "" {
		return nil
	}
	return &resource.Introspection{ID: a.AskerID, Auth: client.Secret(a.AskerSecret)}
}
