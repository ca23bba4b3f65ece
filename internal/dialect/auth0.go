package dialect

import (
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
)

var auth0Dialect = server.Dialect{Name: registry.DialectAuth0}

func (e *Endpoints) auth0Routes() []server.Route { return nil }
