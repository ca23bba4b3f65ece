package admin

import (
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// possibleID reports whether an object of the kind can have the id. For others no
// store is asked: ids come from paths and bodies of many protocols, and PostgreSQL
// fails on a NUL where SQLite finds nothing.
func possibleID(kind, id string) bool {
	switch kind {
	case registry.KindClient:
		return registry.ValidClientID(id)
	case registry.KindKey, registry.KindDenial:
		return id != "" && len(id) <= registry.MaxDenialID && store.Storable(id)
	}
	return registry.ValidID(id)
}
