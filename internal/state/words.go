package state

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// Words tells a plan line by line: one for each object, indented ones for what
// changes in it, and a last one with the sum.
func Words(plan admin.Plan) []string {
	var lines []string
	counts := make(map[admin.Action]int)
	for _, d := range plan.Differences {
		counts[d.Action]++
		lines = append(lines, fmt.Sprintf("%s %s %s", d.Action, kindWord(d.Kind), printable(d.ID)))
		for _, f := range d.Fields {
			if line := fieldWords(d, f); line != "" {
				lines = append(lines, "  "+line)
			}
		}
		for _, n := range d.Notes {
			line := "  note: " + printable(n.Text)
			if n.Undo != "" {
				line += " (by hand: " + printable(n.Undo) + ")"
			}
			lines = append(lines, line)
		}
	}
	return append(lines, sumWords(counts))
}

func kindWord(kind string) string {
	switch kind {
	case registry.KindAPI:
		return "API"
	case registry.KindOperatorToken:
		return "operator token"
	}
	return kind
}

// fieldWords is what happens to one member. What a deletion takes with it goes
// without saying.
func fieldWords(d admin.Difference, f admin.FieldChange) string {
	path, before, after := printable(f.Path), printable(f.Before), printable(f.After)
	credential := credentialWords(d.Kind, path)
	switch {
	case d.Action == admin.ActionDelete:
		return ""
	case credential != "" && before == "":
		return credential + " is added"
	case credential != "" && after == "":
		return credential + " is removed"
	case before == "" && d.Action == admin.ActionCreate:
		return path + ": " + after
	case before == "":
		return path + ": becomes " + after
	case after == "":
		return path + ": no longer " + before
	}
	return path + ": " + before + " becomes " + after
}

// credentialWords is what a path names that stands for a credential of a client
// as a whole, as "secret s1"; "" for any other.
func credentialWords(kind, path string) string {
	list, id, _ := strings.Cut(path, ".")
	word := map[string]string{"secrets": "secret", "keys": "key", "certificates": "certificate"}[list]
	if kind != registry.KindClient || word == "" || id == "" || strings.Contains(id, ".") {
		return ""
	}
	return word + " " + id
}

func sumWords(counts map[admin.Action]int) string {
	var parts []string
	for _, a := range []admin.Action{admin.ActionCreate, admin.ActionChange, admin.ActionDisable, admin.ActionMark, admin.ActionDelete} {
		if n := counts[a]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", n, a))
		}
	}
	if len(parts) == 0 {
		return "nothing to change"
	}
	return strings.Join(parts, ", ")
}

// printable quotes what could move a terminal's cursor.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
