package dialect

import (
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
)

var (
	oktaOrg    = server.Dialect{Name: registry.DialectOkta}
	oktaCustom = server.Dialect{Name: registry.DialectOkta}
)

// okta tells the organisation's own authorization server, at the issuer without
// a path, from its custom ones, at /oauth2/{id}.
func okta(v *registry.IssuerView) *server.Dialect {
	if v.Path == "" {
		return &oktaOrg
	}
	return &oktaCustom
}

func (e *Endpoints) oktaRoutes() []server.Route { return nil }
