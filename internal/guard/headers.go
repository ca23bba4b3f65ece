package guard

import (
	"net/http"
	"strings"

	"github.com/symbolon/symbolon"
)

// What the guard says of a caller, to the API and to the proxy that asks.
const (
	headerClientID = "X-Auth-Client-Id"
	headerScope    = "X-Auth-Scope"
	headerSubject  = "X-Auth-Subject"
)

// identities are headers in which somebody in front of an API tells who the
// caller is, or what the request was: an API believes them, so none of the
// caller's gets there. Each stands for all that begin like it.
var identities = byLetter(
	"X-Auth-", "X-Forward", "X-Original-", "X-Rewrite-", "X-Envoy-Original-", "X-Envoy-External-", "X-Remote-", "X-Authenticated-",
	"Remote-", "X-Ssl-", "Ssl-Client-", "Client-Cert", "X-Client-Cert", "X-Client-Verify", "X-Client-Dn", "X-Tls-Client-", "X-Arr-",
	"X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Cf-Connecting-", "Fastly-Client-Ip", "X-Azure-Clientip", "X-Azure-Socketip", "Forwarded", "Request-Id",
	"X-Host", "X-Http-Host-Override", "X-Webauth-", "X-Consumer-", "X-Credential-", "X-Anonymous-Consumer",
	"X-Amzn-Oidc-", "X-Goog-Authenticated-", "X-Goog-Iap-", "X-Ms-Client-", "X-Appengine-", "Cf-Access-", // of load balancers that sign in
	"Oidc-", "Mellon-", "Shib-", "Sm-", "Iv-", "X-Pomerium-", // of what signs people in
	"X-Scheme", "X-Url-Scheme", "Front-End-Https", "X-Script-", // another path, to programs behind WSGI
	"X-Accel-", "X-Sendfile-", // CVE-2025-61780: files are found by them
	"X-Middleware-", // CVE-2025-29927: steps are left out by it
	"Wl-Proxy-",     // who the caller is, to WebLogic
	"Proxy",         // CVE-2016-5385: an environment variable of that name is believed
)

// byLetter sorts prefixes by their first letter: every header is compared.
func byLetter(prefixes ...string) (all [256][]string) {
	for _, p := range prefixes {
		all[p[0]] = append(all[p[0]], p)
	}
	return all
}

// overrides name another method than the request's, to which an API may listen:
// what was decided on would not be what is done.
var overrides = map[string]bool{
	"X-Http-Method": true, "X-Http-Method-Override": true, "X-Method-Override": true, "X-Method": true,
}

var errOverride = symbolon.NewError(symbolon.InvalidRequest, "headers that override the method are refused: send the request with that method")

// overridden reports a header that names another method, in any spelling.
func overridden(h http.Header) bool {
	for name := range h {
		if overrides[name] || !canonical(name) && overrides[fold(name)] {
			return true
		}
	}
	return false
}

// strip removes what an API could take for the word of the guard. Names with
// anything but letters, digits and hyphens are removed altogether, as nginx does:
// in many an API's environment X_Auth_Client_Id is X-Auth-Client-Id.
func strip(h http.Header) {
	for name := range h {
		if !canonical(name) || speaks(name) {
			delete(h, name)
		}
	}
}

// speaks reports whether a header of this name, in the spelling of http.Header,
// is one of identities.
func speaks(name string) bool {
	for _, prefix := range identities[name[0]] {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// canonical reports whether a name of http.Header has only letters, digits and
// hyphens. net/http lets no empty name through.
func canonical(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return name != ""
}

// fold is the name as an environment would have it, in the spelling of
// http.Header.
func fold(name string) string {
	b := []byte(name)
	for i, c := range b {
		if !canonical(string(rune(c))) {
			b[i] = '-'
		}
	}
	return http.CanonicalHeaderKey(string(b))
}
