package main

import (
	"encoding/json"
	"testing"

	"github.com/symbolon/symbolon/internal/config"
	"github.com/symbolon/symbolon/internal/guard"
	"github.com/symbolon/symbolon/internal/node"
	"github.com/symbolon/symbolon/internal/registry"
)

// proxiesYAML is what the pages about programs of others mean by the YAML blocks
// that are ours.
func proxiesYAML(t *testing.T) map[string]any {
	t.Helper()
	public, err := registry.PublicJWK([]byte(samplePublicKey))
	if err != nil {
		t.Fatal(err)
	}
	plain := node.Config{URL: "http://127.0.0.1:8080", Listen: []node.Listener{{Addr: "127.0.0.1:8080"}}, Apply: "state.yaml"}
	withTLS := node.Config{
		URL: "https://localhost:8443", Listen: []node.Listener{{Addr: "127.0.0.1:8443"}}, Apply: "state.yaml",
		TLS:  &node.TLSFiles{Cert: "server.crt", Key: "server.key"},
		MTLS: &node.MTLS{URL: "https://localhost:8444", Listen: node.Listener{Addr: "127.0.0.1:8444"}},
	}
	orders := func(identifier string) registry.API {
		return registry.API{ID: "orders", Identifier: identifier, Scopes: map[string]registry.Scope{
			"orders:read": {Description: "Read orders"}, "orders:write": {Description: "Change orders"},
		}}
	}
	short := orders("http://127.0.0.1:8000")
	short.Token = registry.APIToken{Lifetime: mustDuration(t, "5m"), Algorithm: "ES256"}
	read := map[string][]string{"orders": {"orders:read"}}
	billing := registry.Client{ID: "billing", Keys: []registry.ClientKey{{ID: "k1", JWK: public}}, Access: read}
	writer := billing
	writer.Access = map[string][]string{"orders": {"orders:read", "orders:write"}}
	reports := registry.Client{ID: "reports", Certificates: []registry.Certificate{{ID: "c1", PEM: sampleCertificate}}, Access: read}
	behindTLS := objects{APIs: []registry.API{orders("https://localhost:8000")}, Clients: []registry.Client{billing, reports}}

	all := map[string]any{
		"nginx.md symbolon.yaml": withTLS, "apache.md symbolon.yaml": withTLS,
		"haproxy.md symbolon.yaml": plain, "caddy.md symbolon.yaml": plain, "prometheus.md symbolon.yaml": plain,
		"nginx.md state.yaml": behindTLS, "apache.md state.yaml": behindTLS,
		"haproxy.md state.yaml": objects{APIs: []registry.API{short}, Clients: []registry.Client{writer}},
		"caddy.md state.yaml":   objects{APIs: []registry.API{orders("http://127.0.0.1:8000")}, Clients: []registry.Client{billing}},
		"prometheus.md state.yaml": objects{
			APIs: []registry.API{{
				ID: "metrics", Identifier: "http://127.0.0.1:9100", Scopes: map[string]registry.Scope{"metrics:read": {Description: "Read metrics"}},
				Token: registry.APIToken{Lifetime: mustDuration(t, "5m")},
			}},
			Clients: []registry.Client{{ID: "prometheus", Secrets: []registry.Secret{{ID: "s1"}}, Access: map[string][]string{"metrics": {"metrics:read"}}}},
		},
	}
	for name, cfg := range guardsYAML() {
		all[name] = cfg
	}
	in := make(map[string]any)
	for name, want := range all {
		in["docs/howto/"+name] = want
	}
	return in
}

// guardsYAML are the guard.yaml of these pages.
func guardsYAML() map[string]guard.Config {
	reads := guard.Route{Match: "GET /orders", Scopes: []string{"orders:read"}}
	writes := guard.Route{Match: "POST /orders", Scopes: []string{"orders:write"}}
	public := guard.Route{Match: "/public/", Allow: "anyone"}
	asked := func(by string) *guard.ForwardAuth {
		return &guard.ForwardAuth{Listen: "127.0.0.1:8091", Headers: by, Trusted: []string{"127.0.0.1"}}
	}
	proxy := &guard.Proxy{Listen: "127.0.0.1:8090", Upstream: "http://127.0.0.1:3000", Trusted: []string{"127.0.0.1"}}
	return map[string]guard.Config{
		"nginx.md guard.yaml": {
			Issuer: "https://localhost:8443", Audience: "https://localhost:8000", DataDir: "./guard", ForwardAuth: asked("nginx"),
			ClientCertHeader: "X-Client-Cert", NonceKeyFile: "nonce.key", Routes: []guard.Route{reads, writes, public},
		},
		"apache.md guard.yaml": {
			Issuer: "https://localhost:8443", Audience: "https://localhost:8000", DataDir: "./guard", Proxy: proxy,
			Health: "127.0.0.1:8092", ClientCertHeader: "X-Client-Cert", Routes: []guard.Route{reads, writes},
		},
		"haproxy.md guard.yaml": {
			Issuer: "http://127.0.0.1:8080", Audience: "http://127.0.0.1:8000", DataDir: "./guard", Proxy: proxy,
			Health: "127.0.0.1:8092", ClientCertHeader: "Client-Cert", Routes: []guard.Route{reads, writes},
		},
		"caddy.md guard.yaml": {
			Issuer: "http://127.0.0.1:8080", Audience: "http://127.0.0.1:8000", DataDir: "./guard", ForwardAuth: asked("caddy"),
			Routes: []guard.Route{reads, writes, public},
		},
		"others.md guard.yaml": {
			Issuer: "https://auth.example.com", Audience: "https://orders.example.com", DataDir: "./guard",
			ForwardAuth: &guard.ForwardAuth{Listen: "10.0.0.5:8091", Headers: "envoy", Trusted: []string{"10.0.0.0/24"}},
			Routes:      []guard.Route{reads, writes, public},
		},
		"prometheus.md guard.yaml": {
			Issuer: "http://127.0.0.1:8080", Audience: "http://127.0.0.1:9100",
			Proxy:  &guard.Proxy{Listen: "127.0.0.1:9100", Upstream: "http://127.0.0.1:9090"},
			Routes: []guard.Route{{Match: "GET /metrics", Scopes: []string{"metrics:read"}}},
		},
	}
}

// foreignYAML are blocks that programs of others read, and what in our tests
// reads them as those do.
var foreignYAML = map[string]string{
	"docs/howto/prometheus.md prometheus.yml":   "Prometheus, as the page is followed",
	"docs/howto/others.md envoy.yaml":           "tests/configs: TestEnvoyAsksTheGuard",
	"docs/howto/others.md envoy-jwt.yaml":       "tests/configs: TestEnvoyChecksTokens",
	"docs/howto/others.md authentication.yaml":  "tests/configs: TestKubernetesTakesTokens",
	"docs/howto/others.md traefik-dynamic.yaml": "nothing, as the page says",
	"docs/howto/others.md kong.yml":             "nothing, as the page says",
}

// foreign reports whether a block is for a program of others; then it is YAML at
// the least.
func foreign(t *testing.T, b block, name string) bool {
	t.Helper()
	if foreignYAML[b.page+" "+name] == "" {
		return false
	}
	var anything json.RawMessage
	if err := new(config.Origins).Decode(name, []byte(b.text), &anything); err != nil {
		t.Errorf("%s:%d: %v", b.page, b.line, err)
	}
	return true
}
