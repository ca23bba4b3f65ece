// Package dialect lets the programs that were written for other vendors run
// unmodified: one file per vendor, with what its programs expect of the OAuth
// endpoints as a server.Dialect, and with its management calls translated onto
// package admin. There is no second token endpoint and no second store of
// clients. No other issuer is weakened by a leniency that stands here.
package dialect

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
)

// Of is the dialect of an issuer; nil for a standard one. Equal dialects are the
// same pointer.
func Of(v *registry.IssuerView) *server.Dialect {
	switch v.Dialect {
	case registry.DialectOkta:
		return okta(v)
	case registry.DialectAuth0:
		return &auth0Dialect
	case registry.DialectCurity:
		return &curityDialect
	case registry.DialectSimple:
		return &simpleDialect
	}
	return nil
}

// ManagementURL is what the paths of the management API at the issuer begin with;
// "" where it has none.
func ManagementURL(v *registry.IssuerView) string {
	switch {
	case v.Path != "":
		return ""
	case v.Dialect == registry.DialectOkta:
		return v.Base + oktaAPIPath
	case v.Dialect == registry.DialectAuth0:
		return v.Base + auth0API
	}
	return ""
}

// Config is what the vendors' own endpoints work on.
type Config struct {
	Server *server.Server
	Admin  *admin.Admin
	HTTP   *http.Client // reaches this server itself, without the network
	Now    func() time.Time
	Logger *slog.Logger
}

// Endpoints are the vendors' endpoints beyond OAuth's.
type Endpoints struct {
	cfg        Config
	management management
	auth0Marks auth0Marks
}

// New makes the vendors' endpoints. It does no I/O.
func New(cfg Config) *Endpoints {
	return &Endpoints{cfg: cfg, management: management{may: newAllowances()}}
}

// Routes are those of one dialect, besides the OAuth endpoints'.
func (e *Endpoints) Routes(d *server.Dialect) []server.Route {
	switch d {
	case &oktaOrg:
		return e.oktaRoutes()
	case &auth0Dialect:
		return e.auth0Routes()
	case &simpleDialect:
		return e.simpleRoutes()
	}
	return nil
}

// Close ends what the endpoints follow.
func (e *Endpoints) Close() error {
	e.management.close()
	return nil
}
