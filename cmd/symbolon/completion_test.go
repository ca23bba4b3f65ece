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
	}
	foreignServer(t, dir, func(w http.ResponseWriter, r *http.Request) {
		for path, body := range lists {
			if strings.HasSuffix(r.URL.Path, path) {
				w.Write([]byte(body))
			}
		}
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
