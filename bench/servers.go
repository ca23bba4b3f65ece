package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/symbolon/symbolon/internal/registry"
)

// What every server under measurement is asked for.
const (
	benchClient   = "bench"
	benchScope    = "orders:read"
	benchAudience = "https://orders.example.com"
)

// bench is one run: where the binaries are, and the client's secret.
type bench struct {
	dir    string // temporary, removed at the end
	secret string
	short  bool // a tenth of the requests: to see that everything runs
}

func newBench(short bool) (*bench, error) {
	dir, err := os.MkdirTemp("", "symbolon-bench-")
	if err != nil {
		return nil, err
	}
	var random [32]byte
	rand.Read(random[:]) // never fails (crypto/rand)
	b := &bench{dir: dir, secret: registry.FormatSecret(random), short: short}
	for name, pkg := range map[string]string{"symbolon": "./cmd/symbolon", "floor": "./bench/floor"} {
		cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, name), pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("build %s: %w", pkg, err)
		}
	}
	return b, nil
}

func (b *bench) close() { os.RemoveAll(b.dir) }

// n is the number of requests of a measurement.
func (b *bench) n(full int) int {
	if b.short {
		return full / 10
	}
	return full
}

var listening = regexp.MustCompile(`listening on (?:http://)?(127\.0\.0\.1:\d+)`)

// floor starts the floor server.
func (b *bench) floor() (*process, error) {
	return start(listening, nil, filepath.Join(b.dir, "floor"),
		"-listen", "127.0.0.1:0", "-client", benchClient, "-secret", b.secret, "-audience", benchAudience, "-scope", benchScope)
}

const stateYAML = `set: bench
apis:
  - id: orders
    identifier: ` + benchAudience + `
    scopes: {` + "\"" + benchScope + "\"" + `: Read orders}
    token: {lifetime: 10m, algorithm: %s}
clients:
  - id: ` + benchClient + `
    secrets: [{id: s1, value_from: {env: BENCH_SECRET}}]
    access: {orders: [` + "\"" + benchScope + "\"" + `]}
`

const configYAML = `url: http://127.0.0.1:8080
listen: ["127.0.0.1:0"]
data_dir: %s
apply: %s
`

// symbolon starts the server on a data directory of that name, made and filled
// when it is new.
func (b *bench) symbolon(name, algorithm string) (*process, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	state, config := filepath.Join(b.dir, name+".state.yaml"), filepath.Join(b.dir, name+".yaml")
	if err := os.WriteFile(state, fmt.Appendf(nil, stateYAML, algorithm), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, configYAML, dir, state), 0o600); err != nil {
		return nil, err
	}
	return start(listening, []string{"BENCH_SECRET=" + b.secret}, filepath.Join(b.dir, "symbolon"), "serve", "--config", config)
}

// tokenJob is the token request at a server. Its Host is the one that the
// server's url says, whatever port it got.
func (b *bench) tokenJob(p *process, conns, n int) job {
	return job{Addr: p.addr, Host: "127.0.0.1:8080", Path: "/token", Auth: basic(benchClient, b.secret),
		Form: clientCredentials(benchScope), Conns: conns, N: n, Want: 200}
}
