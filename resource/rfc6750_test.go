package resource

import (
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/symbolon/symbolon"
)

// authParam is one auth-param with a quoted value, and what separates it from
// the next (RFC 9110 §11.2).
var authParam = regexp.MustCompile(`^([a-z_]+)="([\x20-\x21\x23-\x5B\x5D-\x7E]*)"(?:, |$)`)

// TestRFC6750_3_ChallengeForm: whatever is refused, there is one challenge of the
// scheme Bearer and one of the scheme DPoP, each with at least one attribute, none
// of them twice, and each value in the character set that quotes need no escapes
// for.
func TestRFC6750_3_ChallengeForm(t *testing.T) {
	a := newAPI(t, Config{Issuer: "https://auth.example.com", Audience: audience})
	for _, e := range []*symbolon.Error{errNoToken, errInQuery, errTwoTokens, errEmptyToken, errMalformed, errType, errIssuer,
		errAudience, errKey, errSignature, errExpired, errNotYet, errClaims, errBound, errScope, errUnbound, errDowngrade, errNotDPoP,
		errOtherKey, errNoCertificate, errOtherCertificate, errTarget, errNonce, errReplayed} {
		for _, scopes := range [][]string{nil, {"a"}, {"a", "b:c", "!#[]~"}, {`a"b`}, {"a\\"}, {"a\nb"}, {"é"}} {
			for _, bare := range []bool{false, true} {
				w := httptest.NewRecorder()
				a.WriteError(w, &refusal{err: e, scopes: scopes, bare: bare})
				challenges := w.Header().Values("WWW-Authenticate")
				if len(challenges) != 2 {
					t.Fatalf("%s: %d challenges", e.Description, len(challenges))
				}
				checkChallenge(t, challenges[0], "Bearer ", bare)
				checkChallenge(t, challenges[1], "DPoP ", bare)
			}
		}
	}
}

func checkChallenge(t *testing.T, challenge, scheme string, bare bool) {
	t.Helper()
	if len(challenge) < len(scheme) || challenge[:len(scheme)] != scheme {
		t.Fatalf("another scheme: %s", challenge)
	}
	seen := map[string]bool{}
	for rest := challenge[len(scheme):]; rest != ""; {
		m := authParam.FindStringSubmatch(rest)
		if m == nil {
			t.Fatalf("not an attribute at %q of %s", rest, challenge)
		}
		if seen[m[1]] {
			t.Errorf("%s twice in %s", m[1], challenge)
		}
		seen[m[1]] = true
		rest = rest[len(m[0]):]
	}
	if seen["algs"] != (scheme == "DPoP ") {
		t.Errorf("algs in %s", challenge)
	}
	if !seen["realm"] || seen["error"] == bare || seen["error_description"] == bare || seen["error_uri"] {
		t.Errorf("bare is %v: %s", bare, challenge)
	}
}
