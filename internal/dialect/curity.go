package dialect

import (
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/server"
)

var curityDialect = server.Dialect{Name: registry.DialectCurity}
