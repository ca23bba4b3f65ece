package admin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
)

// hidden are members that are bookkeeping, or that must not be told.
var hidden = []string{"v", "min", "created", "updated", "hash", "digest", "public", "private", "spent", "state_by", "longest"}

// difference tells what differs between two documents of a kind, sorted by
// path; nil is an object that is not there. It names credentials, and never
// shows a secret or its hash.
func difference(before, after any) []FieldChange {
	was, is := flat(before), flat(after)
	var out []FieldChange
	for _, path := range slices.Sorted(maps.Keys(merged(was, is))) {
		if was[path] != is[path] {
			out = append(out, FieldChange{Path: path, Before: was[path], After: is[path]})
		}
	}
	return out
}

func merged(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// flat is a document as paths and short texts.
func flat(obj any) map[string]string {
	out := make(map[string]string)
	if obj == nil {
		return out
	}
	doc, err := json.Marshal(obj)
	if err != nil {
		return out
	}
	var tree map[string]any
	if json.Unmarshal(doc, &tree) == nil {
		flatten(out, "", tree)
	}
	delete(out, "id")
	return out
}

func flatten(out map[string]string, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if slices.Contains(hidden, name) && !opaqueKeys(path) {
				continue
			}
			if name == "jwk" && strings.HasPrefix(path, "keys.") || name == "pem" && strings.HasPrefix(path, "certificates.") {
				out[join(path, name)] = thumbprint(name, member)
				continue
			}
			flatten(out, join(path, name), member)
		}
		if path != "" && len(v) == 0 {
			out[path] = "yes"
		}
	case []any:
		flattenList(out, path, v)
	case string:
		out[path] = clip(v)
	case bool:
		out[path] = map[bool]string{true: "yes", false: "no"}[v]
	default:
		text, _ := json.Marshal(v) // it came out of JSON
		out[path] = clip(string(text))
	}
}

// thumbprint stands for a public key or a certificate, which nobody reads.
func thumbprint(form string, value any) string {
	var digest string
	if form == "jwk" {
		text, _ := json.Marshal(value) // it came out of JSON
		digest = (&registry.ClientKey{JWK: text}).Digest()
	} else if text, ok := value.(string); ok {
		digest = (&registry.Certificate{PEM: text}).Digest()
	}
	return cmp.Or(digest, "unreadable")
}

// opaqueKeys reports whether the names below path are somebody's data, so that
// none of them is a member to hide.
func opaqueKeys(path string) bool {
	return slices.Contains([]string{"labels", "claims", "access", "scopes"}, path)
}

// flattenList writes a list of plain values as one text, and a list of objects
// by their ids.
func flattenList(out map[string]string, path string, list []any) {
	var plain []string
	for i, entry := range list {
		object, ok := entry.(map[string]any)
		if !ok {
			plain = append(plain, fmt.Sprint(entry))
			continue
		}
		id, _ := object["id"].(string)
		if id == "" {
			id = fmt.Sprint(i)
		}
		delete(object, "id")
		at := join(path, id)
		flatten(out, at, object)
		out[at] = "yes"
	}
	switch {
	case len(list) == 0:
		out[path] = "(empty)" // access without scopes is access all the same
	case len(plain) > 0:
		out[path] = clip(strings.Join(plain, " "))
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// maxText bounds a text of a difference, which goes into a record.
const maxText = 300

func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}
