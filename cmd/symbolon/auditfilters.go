package main

import (
	"net/http"
	"net/url"
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

// contradiction refuses two filters that no record fits together: nothing found
// would be taken for nothing there. Words that this build does not know pass.
func contradiction(q url.Values) error {
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
	case outcome == audit.Issued && (endpoint == "introspection" || endpoint == "revocation"):
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
