package dialect

import (
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
)

var simpleDialect = server.Dialect{Name: registry.DialectSimple}

func (e *Endpoints) simpleRoutes() []server.Route { return nil }
