package admin

import (
	"strings"
	"unicode/utf8"

	"github.com/symbolon/symbolon/internal/registry"
)

// possibleID reports whether an object of the kind can have the id. For others no
// store is asked: ids come from paths and bodies of many protocols, and PostgreSQL
// fails on a NUL where SQLite finds nothing.
func possibleID(kind, id string) bool {
	switch kind {
	case registry.KindClient:
		return registry.ValidClientID(id)
	case registry.KindKey, registry.KindDenial:
		return id != "" && len(id) <= registry.MaxDenialID && storable(id)
	}
	return registry.ValidID(id)
}

// storable reports whether every store takes it as text.
func storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
