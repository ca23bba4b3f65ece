package config

import (
	"cmp"
	"errors"
	"maps"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Unknown names the variables of environ, NAME=value each, that begin with the
// prefix and would set no member of the struct that into points to: what Override of
// Origins passes over because it is mistyped. It gives nil, or an *Error for each of them,
// joined; never with a value. An empty variable counts as not set, as for Override.
//
// Two sorts of variables belong to somebody else. Those in others, which is what
// else of the program begins with the prefix: a name, or the beginning of names
// ("APP_GUARD_"). And those that Kubernetes makes for the services of a namespace,
// whose names may begin alike: a service that is called as the program does that.
func Unknown(into any, prefix string, environ []string, others ...string) error {
	known := variables(reflect.TypeOf(into).Elem(), prefix)
	var beginnings []string
	for _, other := range others {
		if strings.HasSuffix(other, "_") {
			beginnings = append(beginnings, other)
		} else {
			known[other] = true
		}
	}
	set := make(map[string]string)
	for _, pair := range environ {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, prefix) && value != "" {
			set[name] = value
		}
	}
	var errs []error
	for _, variable := range slices.Sorted(maps.Keys(set)) {
		settable, ours := known[variable]
		begins := func(beginning string) bool { return strings.HasPrefix(variable, beginning) }
		switch {
		case settable, slices.ContainsFunc(beginnings, begins), !ours && ofService(variable, set):
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

// ofServices is what Kubernetes sets for each service X of a namespace: X_SERVICE_HOST
// and X_SERVICE_PORT, one more for each port that has a name, and what a link of
// containers was once: X_PORT, and X_PORT_80_TCP with what that consists of. Of X_PORT
// the value has to look so, too: 8080 is from somebody who wants a program to listen.
var (
	ofServices = regexp.MustCompile(`^(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	linkURL    = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

// ofService reports whether Kubernetes set the variable for a service.
func ofService(variable string, set map[string]string) bool {
	for other, host := range set {
		service, ok := strings.CutSuffix(other, "SERVICE_HOST")
		if !ok || net.ParseIP(host) == nil {
			continue
		}
		rest, ok := strings.CutPrefix(variable, service)
		if ok && ofServices.MatchString(rest) && (rest != "PORT" || linkURL.MatchString(set[variable])) {
			return true // another service, app-service beside app, may not know it
		}
	}
	return false
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
