package config

import (
	"cmp"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Unknown names the variables of environ, NAME=value each, that begin with the
// prefix and would set no member of the struct that into points to: what Override
// passes over because it is mistyped. It gives nil, or an *Error for each of them,
// joined. An empty variable counts as not set, as for Override; so do those that
// Kubernetes makes for the services of a namespace, whose names may begin alike.
func Unknown(into any, prefix string, environ []string) error {
	known := variables(reflect.TypeOf(into).Elem(), prefix)
	set := make(map[string]bool)
	for _, pair := range environ {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, prefix) && value != "" {
			set[name] = true
		}
	}
	var errs []error
	for _, variable := range slices.Sorted(maps.Keys(set)) {
		settable, ours := known[variable]
		switch {
		case settable, !ours && ofService(variable, set):
		case ours:
			errs = append(errs, &Error{File: name(variable), Message: "no variable can set this", Fix: "write it into the file"})
		default:
			errs = append(errs, &Error{File: name(variable), Message: "no such variable", Fix: nearest(variable, prefix, known)})
		}
	}
	return errors.Join(errs...)
}

// variables are the names that members of the struct have, and whether Override
// reads them.
func variables(t reflect.Type, prefix string) map[string]bool {
	all := make(map[string]bool)
	for _, f := range structFields(t) {
		variable := prefix + strings.ToUpper(f.name)
		if !isPlainStruct(f.typ) {
			all[variable] = hasVariable(f.typ)
			continue
		}
		inner := f.typ
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		maps.Copy(all, variables(inner, variable+"_"))
	}
	return all
}

// ofService reports whether Kubernetes set the variable for a service: X_PORT and
// X_SERVICE_PORT with what follows them, where X_SERVICE_HOST is set, too.
func ofService(variable string, set map[string]bool) bool {
	const host = "_SERVICE_HOST"
	if strings.HasSuffix(variable, host) {
		return true
	}
	for other := range set {
		if service, ok := strings.CutSuffix(other, host); ok {
			rest, ok := strings.CutPrefix(variable, service)
			if ok && (begins(rest, "_PORT") || begins(rest, "_SERVICE_PORT")) {
				return true
			}
		}
	}
	return false
}

// begins reports whether text is that word, or goes on after it with another.
func begins(text, word string) bool {
	rest, ok := strings.CutPrefix(text, word)
	return ok && (rest == "" || rest[0] == '_')
}

// nearest is the way out for a variable that is not known: the one that was
// meant, or the three that are most like it.
func nearest(variable, prefix string, known map[string]bool) string {
	type candidate struct {
		name     string
		distance int
	}
	wrong := plain(variable[len(prefix):])
	var all []candidate
	for k, settable := range known {
		if !settable {
			continue
		}
		d := likeness(wrong, k[len(prefix):])
		if strings.HasPrefix(k, variable+"_") {
			d = 1
		}
		all = append(all, candidate{k, d})
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	switch {
	case len(all) == 0:
		return "unset it"
	case all[0].distance < min(4, len(wrong)/3+2) && (len(all) == 1 || all[1].distance > all[0].distance):
		return "write " + all[0].name + ", or unset it"
	}
	var names []string
	for _, c := range all[:min(3, len(all))] {
		names = append(names, c.name)
	}
	return "the nearest are " + strings.Join(names, ", ")
}

// likeness is how many octets have to be changed to make the known name of the
// wrong one, or its end, where a part of the path was left away; or 1, where one
// is too much.
func likeness(wrong, known string) int {
	least := edits(wrong, plain(known))
	for end := known; ; {
		var more bool
		if _, end, more = strings.Cut(end, "_"); !more {
			break
		}
		least = min(least, 1+edits(wrong, plain(end)))
	}
	if strings.HasSuffix(wrong, plain(known)) {
		least = min(least, 1)
	}
	return least
}
