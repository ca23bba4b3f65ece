package guard

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const goodFile = `issuer: https://auth.example.com
audience: https://orders.example.com
proxy: {listen: 127.0.0.1:8090, upstream: "http://127.0.0.1:3000"}
forward_auth: {listen: 127.0.0.1:8091, headers: nginx, trusted: [127.0.0.1/32]}
routes:
  - {match: GET /orders, scopes: [orders:read]}
  - {match: /public/, allow: anyone}
`

func load(t *testing.T, text string, environ []string, change func(*Config, func(path, flag string))) (Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("guard.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load("guard.yaml", environ, change)
}

// TestBadFiles: what is wrong is said with its place and the way out.
func TestBadFiles(t *testing.T) {
	edit := func(old, with string) string {
		if !strings.Contains(goodFile, old) {
			t.Fatalf("the good file has no %q", old)
		}
		return strings.Replace(goodFile, old, with, 1)
	}
	for name, c := range map[string]struct{ text, want string }{
		"an unknown key":               {edit("issuer:", "isuer:"), "guard.yaml:1:1: unknown key \"isuer\"; write issuer"},
		"no issuer":                    {edit("issuer: https://auth.example.com\n", ""), "guard.yaml:1:1: issuer: missing; write the issuer's URL"},
		"no audience":                  {edit("audience: https://orders.example.com\n", ""), "audience: missing"},
		"an audience that is a name":   {edit("audience: https://orders.example.com", "audience: orders"), "public_url: missing, and the audience is no URL"},
		"a public URL with a query":    {goodFile + "public_url: https://a.example.com?x\n", "guard.yaml:8:13: public_url: not an http or https URL without query"},
		"neither mode":                 {"issuer: https://a.example.com\naudience: https://b.example.com\nroutes: [{match: /, scopes: []}]\n", "neither proxy nor forward_auth is there"},
		"no routes":                    {goodFile[:strings.Index(goodFile, "routes")], "routes: missing: every request would be refused"},
		"no upstream":                  {edit(", upstream: \"http://127.0.0.1:3000\"", ""), "proxy.upstream: missing; write where the API is"},
		"an upstream with a path":      {edit(":3000", ":3000/v1"), "proxy.upstream: has more than scheme, host and port"},
		"an upstream of another kind":  {edit("http://127", "ftp://127"), "guard.yaml:3:43: proxy.upstream: not an http or https URL"},
		"no port":                      {edit("127.0.0.1:8090", "127.0.0.1"), "guard.yaml:3:17: proxy.listen: not an address; write host:port"},
		"open to the network":          {edit("127.0.0.1:8090", "0.0.0.0:8090"), "proxy.listen: 0.0.0.0:8090 is not loopback and has no TLS"},
		"half a pair":                  {edit("listen: 127.0.0.1:8090", "listen: 127.0.0.1:8090, tls: {cert: a}"), "proxy.tls: both cert and key are needed"},
		"no requests":                  {edit("listen: 127.0.0.1:8090", "listen: 127.0.0.1:8090, max_requests: 0"), "guard.yaml:3:47: proxy.max_requests: no request would be forwarded; write 1 or more"},
		"no requests of a network":     {edit("listen: 127.0.0.1:8090", "listen: 127.0.0.1:8090, max_requests_per_network: -1"), "proxy.max_requests_per_network: no request would be forwarded"},
		"certificates of another kind": {edit("listen: 127.0.0.1:8090", "listen: 127.0.0.1:8090, tls: {cert: a, key: b, client_certs: require}"), "proxy.tls.client_certs: want request"},
		"a network that is none":       {edit("127.0.0.1/32", "127.0.0.1/99"), "forward_auth.trusted: \"127.0.0.1/99\" is not a network"},
		"everybody trusted":            {edit("127.0.0.1/32", "0.0.0.0/0"), "forward_auth.trusted: this is everybody"},
		"nobody trusted":               {edit(", trusted: [127.0.0.1/32]", ""), "forward_auth.trusted: missing"},
		"an unknown proxy":             {edit("nginx", "apache"), "guard.yaml:4:49: forward_auth.headers: want nginx, traefik, caddy, haproxy or envoy"},
		"what to do with the token":    {edit("listen: 127.0.0.1:8090", "listen: 127.0.0.1:8090, authorization: keep"), "proxy.authorization: want remove or pass"},
		"neither scopes nor allow":     {edit(", scopes: [orders:read]", ""), "guard.yaml:6:5: routes.0: neither scopes nor allow"},
		"scopes and allow":             {edit("allow: anyone", "allow: anyone, scopes: [a]"), "guard.yaml:7:30: routes.1.allow: both scopes and allow"},
		"allowed to whom":              {edit("anyone", "everyone"), "routes.1.allow: want anyone; write anyone, or scopes"},
		"two scopes in one":            {edit("[orders:read]", "[orders:read orders:write]"), "routes.0.scopes.0: not one scope"},
		"a pattern without a path":     {edit("GET /orders", "GET"), "routes.0.match: no path"},
		"a pattern with a host":        {edit("GET /orders", "GET orders.example.com/"), "routes.0.match: no path, or a host before it: which host it is, public_url says"},
		"a method in small letters":    {edit("GET /orders", "get /orders"), "routes.0.match: the method is not in capitals, and would match no request; write GET"},
		"a pattern that is none":       {edit("GET /orders", "\"GET /orders/{\""), "routes.0.match: not a pattern"},
		"a pattern that never matches": {edit("GET /orders", "GET /orders/../a"), "routes.0.match: not a pattern"},
		"a pattern for a tunnel":       {edit("GET /orders", "CONNECT /orders"), "CONNECT is never forwarded"},
		"the same pattern twice":       {edit("/public/", "GET /orders"), `routes.1.match: it and "GET /orders" match the same requests`},
		"patterns that cross":          {edit("{match: /public/, allow: anyone}", `{match: "/a/{x}", allow: anyone}`) + "  - {match: \"/{y}/b\", scopes: []}\n", `guard.yaml:8:13: routes.2.match: it and "/a/{x}" match`},
		"a pattern of another program": {edit("/public/", "/public/*"), "guard.yaml:7:13: routes.1.match: * is nothing but that text here; write {name} for one segment, and end with a slash for all that is below"},
		"another one":                  {edit("/public/", "/public/**"), "routes.1.match: ** is nothing but that text here"},
		"a third one":                  {edit("/public/", "/public/:id"), "routes.1.match: :id is nothing but that text here; write {id} for any segment, or %3A for the colon"},
		"two methods":                  {edit("GET /orders", "\"GET,POST /orders\""), "routes.0.match: not one method before the path; write a route for each method"},
		"a space in a pattern":         {edit("/public/", "/public files/"), "routes.1.match: a space in the path; write %20"},
		"a query in a pattern":         {edit("/public/", "\"/public/?a=b\""), "routes.1.match: more than a path; leave the query out"},
		"dot segments in a pattern":    {edit("/public/", "/public/../"), "routes.1.match: such paths are refused; write the path as requests have it"},
		"encoded dots in a pattern":    {edit("/public/", "/public/%2e%2e/"), "routes.1.match: such paths are refused; write"},
		"two slashes in a pattern":     {edit("/public/", "/public//a"), "routes.1.match: such paths are refused, since two programs could read them differently; write ambiguous_paths: allow"},
		"a semicolon in a pattern":     {edit("/public/", "\"/public;a/\""), "routes.1.match: such paths are refused, since"},
		"a pattern in another case":    {edit("/public/", "GET /Orders"), "guard.yaml:7:13: routes.1.match: but for the case or the final slash it is another route's, which asks for more: each request would be refused; let both ask for the same"},
		"the other way round":          {edit("GET /orders, scopes: [orders:read]", "/PUBLIC/, scopes: [a]"), "guard.yaml:7:13: routes.1.match: but for the case"},
		"a pattern with a slash":       {edit("/public/", "\"GET /orders/{$}\""), "routes.1.match: but for the case or the final slash"},
		"two listeners at one address": {edit("127.0.0.1:8091", "127.0.0.1:8090"), "guard.yaml:4:24: forward_auth.listen: the address of proxy.listen, too; give each its own port"},
		"health at everybody's":        {goodFile + "health: \":8091\"\n", "guard.yaml:8:9: health: the address of forward_auth.listen, too"},
		"a guard of itself":            {edit("http://127.0.0.1:3000", "http://localhost:8090"), "proxy.upstream: "},
		"a guard of itself, exactly":   {edit("127.0.0.1:3000", "127.0.0.1:8090"), "guard.yaml:3:43: proxy.upstream: the guard's own address: proxy.listen; write where the API is"},
		"an upstream without a port":   {edit(":3000", ":99999"), "guard.yaml:3:43: proxy.upstream: 99999 is no port"},
		"no such port":                 {edit("127.0.0.1:8090", "127.0.0.1:99999"), "guard.yaml:3:17: proxy.listen: 99999 is no port; write host:port"},
		"paths of a route":             {edit("allow: anyone", "allow: anyone, ambiguous_paths: true"), "want text"},
		"paths of a route, a word":     {edit("allow: anyone", "allow: anyone, ambiguous_paths: all"), "routes.1.ambiguous_paths: want allow"},
		"a binding":                    {goodFile + "bound: tls\n", "bound: want optional, required, dpop or mtls"},
		"old nonce keys alone":         {goodFile + "previous_nonce_key_files: [a]\n", "previous_nonce_key_files: of use only with nonce_key_file"},
		"a header of another kind":     {goodFile + "client_cert_header: X-SSL-Cert\n", "client_cert_header: want Client-Cert or X-Client-Cert"},
		"a header that nobody takes":   {strings.Replace(edit("forward_auth:", "#"), "routes", "client_cert_header: Client-Cert\nroutes", 1), "client_cert_header: no listener takes the header"},
		"who introspects":              {goodFile + "introspection: {secret_file: a}\n", "introspection.client_id: missing"},
		"how to introspect":            {goodFile + "introspection: {client_id: a}\n", "introspection: how the client authenticates is not clear"},
		"two ways to introspect":       {goodFile + "introspection: {client_id: a, secret_file: b, key_file: c}\n", "how the client authenticates is not clear"},
		"a certificate without a key":  {goodFile + "introspection: {client_id: a, cert_file: b}\n", "how the client authenticates is not clear"},
		"a long cache":                 {goodFile + "introspection: {client_id: a, secret_file: b, cache: 10s}\n", "introspection.cache: at most 1s"},
		"an age that is too short":     {goodFile + "revocations: {max_age: 5s}\n", "guard.yaml:8:24: revocations.max_age: less than 25s"},
		"a stale set":                  {goodFile + "revocations: {on_stale: ignore}\n", "revocations.on_stale: want deny or allow"},
		"a time that is none":          {goodFile + "revocations: {max_age: soon}\n", `revocations.max_age: "soon" is not a duration; write for example 30s, 24h or 7d`},
		"a negative time":              {goodFile + "revocations: {max_age: -1s}\n", "is not a duration"},
		"a health listener":            {goodFile + "health: 8092\n", "want text"},
		"a health listener, a word":    {goodFile + "health: \"8092\"\n", "health: not an address"},
		"a cache below nothing":        {goodFile + "token_cache: -1\n", "token_cache: must not be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.text, nil, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "guard.yaml") {
				t.Errorf("got %v\nwant … %s", err, c.want)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), nil, nil); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}

// TestGoodPatterns: what looks like another program's way and is none.
func TestGoodPatterns(t *testing.T) {
	text := goodFile
	for _, pattern := range []string{"/{$}", "/files/{rest...}", "/a:batch", "/a*b/", "/über/", "/a%20b", "/{page}", "/reports/", "GET /orders/", "GET /reports", "/%3Aid", "/.well-known/x", "/100%25"} {
		text += "  - {match: \"" + pattern + "\", scopes: [orders:read, a]}\n"
	}
	if _, err := load(t, text+"  - {match: \"/a;b\", scopes: [], ambiguous_paths: allow}\n", nil, nil); err != nil {
		t.Error(err)
	}
}

// TestGoodFile: what it says, what is set when it says nothing, and what wins.
func TestGoodFile(t *testing.T) {
	cfg, err := load(t, goodFile+"revocations: {max_stale: 7d}\n", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	full := cfg.withDefaults()
	if full.PublicURL != "https://orders.example.com" || *full.TokenCache != 10000 || full.Proxy.UpstreamTimeout != Duration(time.Minute) ||
		*full.Proxy.MaxRequests < 1 || *full.Proxy.MaxRequests > 16384 || *full.Proxy.MaxRequestsPerNetwork != min(4096, *full.Proxy.MaxRequests) ||
		full.Revocations != (Revocations{Duration(30 * time.Second), Duration(7 * 24 * time.Hour), "deny"}) || cfg.Proxy.UpstreamTimeout != 0 {
		t.Errorf("%+v", full)
	}
	env := []string{
		"SYMBOLON_GUARD_PROXY_UPSTREAM=http://127.0.0.1:4000", "SYMBOLON_GUARD_FORWARD_AUTH_TRUSTED=10.0.0.1, 10.0.0.2",
		"SYMBOLON_GUARD_ISSUER=https://env.example.com", "SYMBOLON_DATA_DIR=/other", "SYMBOLON_GUARD_TOKEN_CACHE=0", "SYMBOLON_GUARD_BOUND=",
	}
	cfg, err = load(t, goodFile, env, func(c *Config, _ func(path, flag string)) { c.Issuer = "https://flag.example.com" })
	if err != nil || cfg.Issuer != "https://flag.example.com" || cfg.Proxy.Upstream != "http://127.0.0.1:4000" || len(cfg.ForwardAuth.Trusted) != 2 || cfg.DataDir != "" || *cfg.TokenCache != 0 {
		t.Errorf("%v %+v", err, cfg)
	}
	// What the file is not to blame for has no place in it, but a name.
	_, err = load(t, goodFile, env, func(c *Config, from func(path, flag string)) {
		c.Proxy.Upstream = "nowhere"
		from("proxy.upstream", "--upstream")
	})
	if err == nil || !strings.HasPrefix(err.Error(), "--upstream: not an http") {
		t.Errorf("got %v", err)
	}
	_, err = load(t, goodFile, []string{"SYMBOLON_GUARD_FORWARD_AUTH_TRUSTED=127.0.0.1,x"}, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "SYMBOLON_GUARD_FORWARD_AUTH_TRUSTED: \"x\" is not a network") {
		t.Errorf("got %v", err)
	}
	if _, err := Load("", nil, nil); err == nil || !strings.HasPrefix(err.Error(), "issuer: missing") {
		t.Errorf("got %v", err)
	}
}

// TestUnknownVariables: a mistyped one is no setting that is left away.
func TestUnknownVariables(t *testing.T) {
	for variable, want := range map[string]string{
		"SYMBOLON_GUARD_ISUER=https://other.example.com": "SYMBOLON_GUARD_ISUER: no such variable; write SYMBOLON_GUARD_ISSUER, or unset it",
		"SYMBOLON_GUARD_UPSTREAM=http://127.0.0.1:1":     "SYMBOLON_GUARD_UPSTREAM: no such variable; write SYMBOLON_GUARD_PROXY_UPSTREAM, or unset it",
		"SYMBOLON_GUARD_BIND=dpop":                       "SYMBOLON_GUARD_BIND: no such variable; write SYMBOLON_GUARD_BOUND, or unset it",
		"SYMBOLON_GUARD_LISTEN=:1":                       "SYMBOLON_GUARD_LISTEN: no such variable; the nearest are SYMBOLON_GUARD_FORWARD_AUTH_LISTEN, SYMBOLON_GUARD_PROXY_LISTEN, ",
		"SYMBOLON_GUARD_ROUTES=[]":                       "SYMBOLON_GUARD_ROUTES: no variable can set this; write it into the file",
	} {
		if _, err := load(t, goodFile, []string{variable}, nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", variable, err, want)
		}
	}
	// What was meant by it is missing then: both are said.
	_, err := Load("", []string{"SYMBOLON_GUARD_ISUER=https://auth.example.com"}, nil)
	if err == nil || !strings.Contains(err.Error(), "SYMBOLON_GUARD_ISUER: no such") || !strings.Contains(err.Error(), "\nissuer: missing") {
		t.Errorf("got %v", err)
	}
}

// TestDurations: as the server's configuration writes them.
func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "1d12h": 36 * time.Hour, "0s": 0,
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%s: %s %v", text, time.Duration(d), err)
		}
	}
	for _, text := range []string{"", "d", "7", "-1s", "-1d", "1d-1h", "1h1d", "99999d", "65535d2500000h", "soon"} {
		if err := new(Duration).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
