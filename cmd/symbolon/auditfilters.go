package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/registry"
)

// kindOf is the kind of the object that an action is done to, where its first word
// is not that already.
var kindOf = map[string]string{"secret": registry.KindClient, "client_key": registry.KindClient, "certificate": registry.KindClient}

// kinds are those whose actions begin with them.
var kinds = map[string]bool{
	registry.KindIssuer: true, registry.KindAPI: true, registry.KindClient: true, registry.KindKey: true,
	registry.KindOperator: true, registry.KindOperatorToken: true, registry.KindDenial: true,
}

// What the records of requests have: outcomes, and endpoints, those of vendors'
// programs last. "spool" is what the records say about themselves.
var (
	outcomes  = []string{audit.Issued, audit.Answered, audit.Refused, audit.Failed, audit.Notice}
	endpoints = []string{"token", "introspection", "revocation", "spool",
		"auth0_management", "okta_api", "okta_app", "okta_apps", "okta_users", "verify"}
)

// orList writes words as "a, b or c".
func orList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// contradiction refuses a filter that no record fits, and two that none fits
// together: nothing found would be taken for nothing there.
func contradiction(q url.Values) error {
	for name, known := range map[string][]string{"outcome": outcomes, "endpoint": endpoints} {
		if q.Has(name) && !slices.Contains(known, q.Get(name)) {
			return usagef("--%s %s: no record has that; write %s", name, printable(q.Get(name)), orList(known))
		}
	}
	refuse := func(one, other, why string) error {
		return usagef("--%s %s and --%s %s exclude each other: %s", one, q.Get(one), other, q.Get(other), why)
	}
	since, _ := time.Parse(time.RFC3339Nano, q.Get("since")) // searchQuery wrote them
	until, _ := time.Parse(time.RFC3339Nano, q.Get("until"))
	if q.Has("since") && q.Has("until") && !since.Before(until) {
		return refuse("since", "until", "no time is from the one on and before the other")
	}
	outcome, endpoint, code := q.Get("outcome"), q.Get("endpoint"), q.Get("code")
	switch {
	case code != "" && (outcome == audit.Issued || outcome == audit.Answered):
		return refuse("outcome", "code", "only what was refused, or failed, has a code")
	case code != "" && outcome == audit.Failed && symbolon.Code(code).TokenStatus() < http.StatusInternalServerError:
		return refuse("outcome", "code", "with this code a request is refused")
	case outcome == audit.Issued && endpoint != "" && endpoint != "token":
		return refuse("outcome", "endpoint", "tokens are issued at the token endpoint; write answered")
	case outcome == audit.Answered && endpoint == "token":
		return refuse("outcome", "endpoint", "the token endpoint issues or refuses; write issued")
	}
	word, _, _ := strings.Cut(q.Get("action"), ".")
	of, known := kindOf[word]
	if kinds[word] {
		of, known = word, true
	}
	if kind := q.Get("kind"); known && kinds[kind] && kind != of {
		return refuse("kind", "action", "that is done to objects of kind "+of)
	}
	return nil
}
