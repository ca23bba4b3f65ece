package main

import (
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/logtest"
)

// TestFiltersThatExcludeEachOther: what can find nothing is not searched, and both
// are named; what may find something is.
func TestFiltersThatExcludeEachOther(t *testing.T) {
	now := func() time.Time { return time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC) }
	for args, want := range map[string]string{
		"--since 2027-01-01 --until 2026-01-01":                       "--since 2027-01-01T00:00:00Z and --until 2026-01-01T00:00:00Z exclude each other: no time is",
		"--since 2027-01-01 --until 2027-01-01":                       "--since 2027-01-01T00:00:00Z and --until",
		"--since 1h --until 2h":                                       "--since 2027-01-01T11:00:00Z and --until 2027-01-01T10:00:00Z",
		"--changes --since 1h --until 2h":                             "--since 2027-01-01T11:00:00Z and --until",
		"--outcome issued --code invalid_scope":                       "--outcome issued and --code invalid_scope exclude each other: only what was refused, or failed",
		"--outcome answered --code invalid_scope":                     "--outcome answered and --code invalid_scope",
		"--outcome error --code invalid_scope":                        "--outcome error and --code invalid_scope exclude each other: with this code a request is refused",
		"--outcome issued --endpoint introspection":                   "--outcome issued and --endpoint introspection exclude each other: tokens are issued at the token endpoint",
		"--outcome issued --endpoint revocation":                      "--outcome issued and --endpoint revocation",
		"--outcome answered --endpoint token":                         "--outcome answered and --endpoint token exclude each other: the token endpoint issues or refuses",
		"--changes --kind api --action client.disable":                "--kind api and --action client.disable exclude each other: that is done to objects of kind client",
		"--changes --kind key --action client_key.revoke":             "--kind key and --action client_key.revoke exclude each other: that is done to objects of kind client",
		"--changes --kind operator --action operator_token.create":    "--kind operator and --action operator_token.create",
		"--since 2h --until 1h":                                       "",
		"--outcome refused --code invalid_scope --endpoint token":     "",
		"--outcome refused --code temporarily_unavailable":            "", // what a summary of failures says
		"--outcome error --code server_error --endpoint revocation":   "",
		"--outcome error --code something_new":                        "",
		"--outcome answered --endpoint introspection --client a":      "",
		"--outcome issued --endpoint okta_apps":                       "--outcome issued and --endpoint okta_apps exclude each other",
		"--outcome granted":                                           "--outcome granted: no record has that; write issued, answered, refused, error or notice",
		"--endpoint tokens":                                           "--endpoint tokens: no record has that; write token, introspection, revocation, spool, auth0_management",
		"--changes --client billing":                                  "--client is of requests; for changes of it use --object billing",
		"--outcome answered --endpoint okta_users":                    "",
		"--outcome refused --endpoint auth0_management":               "",
		"--outcome notice --endpoint spool":                           "",
		"--changes --kind client --action secret.revoke":              "",
		"--changes --kind client --action client.disable --actor a":   "",
		"--changes --kind something_new --action client.disable":      "",
		"--changes --kind client --action something.new --object a":   "",
		"--changes --kind operator_token --action operator_token.use": "",
	} {
		var out, errs logtest.Buffer
		a := &app{name: "symbolon", env: func(string) (string, bool) { return "", false }, now: now, stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
		code := run(t.Context(), a, append([]string{"audit", "search", "--data-dir", t.TempDir()}, strings.Fields(args)...))
		switch text := errs.String(); {
		case want != "" && (code != 2 || !strings.HasPrefix(text, "symbolon: "+want)):
			t.Errorf("%s: exit %d, %s", args, code, text)
		case want == "" && (code != 1 || !strings.Contains(text, "no server answers")):
			t.Errorf("%s is refused: exit %d, %s", args, code, text)
		}
	}
}
