package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/audit"
)

// TestValuesAreCompleted: of options and arguments that name what there is.
func TestValuesAreCompleted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	lists := map[string]string{
		"/issuers": `{"items":[{"id":"okta"},{"id":"other"},{"id":"x y\u001b"}]}`,
		"/apis":    `{"items":[{"id":"orders"},{"id":"invoices"}]}`,
		"/clients": `{"items":[{"id":"billing"}]}`,

		"/operators": `{"items":[{"id":"ann"}]}`, "/operator-tokens": `{"items":[{"id":"ci"}]}`, "/admin/v1/keys": `[{"id":"kid1"},{"id":"kid2"}]`,
		"/clients/billing/secrets": `[{"id":"s1"},{"id":"s2"}]`, "/clients/billing/keys": `[{"id":"k1"}]`, "/clients/billing/certificates": `[{"id":"c1"}]`,
	}
	foreignServer(t, dir, func(w http.ResponseWriter, r *http.Request) {
		longest := ""
		for path := range lists {
			if strings.HasSuffix(r.URL.Path, path) && len(path) > len(longest) {
				longest = path
			}
		}
		w.Write([]byte(lists[longest]))
	})
	for args, want := range map[string]string{
		"operator-token create --role ":             "viewer operator admin",
		"operator-token create --issuer o":          "okta other",
		"operator-token update ci --issuer ok":      "okta",
		"issuer create --dialect ":                  "auth0 curity okta simple",
		"client create --issuer ot":                 "other",
		"client grant b":                            "billing",
		"client grant billing ":                     "orders invoices",
		"client ungrant billing inv":                "invoices",
		"client grant billing orders orders:read x": "",

		"client grant billing orders ":            "",
		"client create ":                          "", // a new id
		"client usage ":                           "billing",
		"client secret revoke billing ":           "s1 s2",
		"client key remove billing ":              "k1",
		"client certificate revoke billing c":     "c1",
		"client certificate revoke billing c1 ":   "",
		"deny credential billing ":                "s1 s2 k1 c1",
		"deny kid ":                               "kid1 kid2",
		"deny jti ":                               "",
		"key revoke kid2":                         "kid2",
		"key rotate ok":                           "okta",
		"key rotate okta --algorithm ":            "ES256 ES384 PS256 RS256 EdDSA",
		"key list --issuer ot":                    "other",
		"operator show ":                          "ann",
		"operator-token show ":                    "ci",
		"client update billing --default-api ord": "orders",
		"client update billing --auth ":           "client_secret_basic client_secret_post private_key_jwt tls_client_auth self_signed_tls_client_auth",
		"client list --owner ":                    "ann",
		"client usage billing --by ":              "hour day total",
		"api create --resource-server ":           "billing",
		"api create --format ":                    "jwt opaque",
		"audit search --outcome ":                 "issued answered refused error notice",
		"audit search --client ":                  "billing",
		"token --output ":                         "env header json token",
		"token --issuer ":                         "", // a URL
		"serve --log ":                            "debug info warn error",
		"dev --dialect ":                          "auth0 curity okta simple",
		"issuer update okta --profile ":           "standard fapi2",
	} {
		_, out, errs := runIn(t, dir, append([]string{"__complete"}, strings.Split(args, " ")...)...)
		var got []string
		for line := range strings.Lines(out) {
			if !strings.HasPrefix(line, ":") {
				got = append(got, strings.TrimSpace(line))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %s", args, got, errs)
		}
	}
}

// TestExplainWithoutAnID, as of a shell variable that is empty.
func TestExplainWithoutAnID(t *testing.T) {
	code, _, errs := runIn(t, t.TempDir(), "explain", "")
	if code != 2 || !strings.Contains(errs, "give the Request-Id of an answer; over HTTP/2 its name is in lower case") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

// TestEndpointsOfRecords: search knows the vendors' endpoints, by their routes.
func TestEndpointsOfRecords(t *testing.T) {
	files, err := filepath.Glob("../../internal/dialect/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	route := regexp.MustCompile(`(?:\bName: |\broute\()"([a-z0-9_]+)", (?:Form|Path|server\.)`)
	var found []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") {
			for _, m := range route.FindAllStringSubmatch(string(text), -1) {
				found = append(found, m[1])
			}
		}
	}
	slices.Sort(found)
	found = slices.DeleteFunc(found, func(name string) bool { return name == "portal" }) // a page, without records
	if got := endpoints[slices.Index(endpoints, "spool")+1:]; !slices.Equal(got, found) {
		t.Errorf("search knows %q, there are %q", got, found)
	}
}

// TestCellsOfTables: scopes are clipped, and what has expired says so.
func TestCellsOfTables(t *testing.T) {
	short, long := strings.Repeat("é", maxScopeCell), strings.Repeat("orders:read ", 20)
	if got := clipScope(short); got != short {
		t.Errorf("%q", got)
	}
	cells := strings.Join(recordCells(&audit.Record{Scope: long}), "|")
	if !strings.Contains(cells, long[:maxScopeCell-1]+"…|") {
		t.Errorf("%q", cells)
	}
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	a := &app{now: func() time.Time { return now }}
	for at, want := range map[time.Time]string{{}: "", now: "2027-01-01 00:00:00Z (expired)", now.Add(time.Second): "2027-01-01 00:00:01Z"} {
		if got := a.expiry(at); got != want {
			t.Errorf("%s: %q", at, got)
		}
	}
}

// TestCompletedValuesAreInTheHelp: what is offered for an option is what its help
// names, where that names any.
func TestCompletedValuesAreInTheHelp(t *testing.T) {
	for _, cmd := range leaves(newRoot(testApp())) {
		for name, words := range values {
			f := cmd.Flags().Lookup(name)
			if f == nil || !strings.Contains(f.Usage, words[0]) {
				continue
			}
			for _, word := range words {
				if !strings.Contains(f.Usage, word) {
					t.Errorf("%s --%s: %s is offered, and not in its help: %s", cmd.CommandPath(), name, word, f.Usage)
				}
			}
		}
	}
}

// TestBashCompletesWithoutItsPackage: on a machine that has no bash-completion, too,
// and words that bash breaks at = and : are one.
func TestBashCompletesWithoutItsPackage(t *testing.T) {
	const press = `source <(symbolon completion bash)
press() {
	COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMPREPLY=()
	shift
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
	compopt() { :; } # works within a completion alone
	__start_symbolon symbolon 2>&1
	echo "${COMPREPLY[*]}"
}
`
	for line, want := range map[string]string{
		`press "symbolon ser" symbolon ser`:                                                     "serve",
		`press "symbolon dev --dialect " symbolon dev --dialect ""`:                             "auth0 curity okta simple",
		`press "symbolon  dev   --dialect=o" symbolon dev --dialect = o`:                        "okta",
		`press "symbolon client show --json cl:" symbolon client show --json cl :`:              "",
		`press "symbolon token --scope a:b --output h" symbolon token --scope a : b --output h`: "header",
	} {
		out, err := shell(t, t.TempDir(), "set +eu\n"+press+line)
		if got := strings.TrimSpace(out); err != nil || got != want && !strings.HasPrefix(got, want+" ") || want == "" && got != "" {
			t.Errorf("%s: %q, %v; want %q", line, got, err, want)
		}
	}
}
