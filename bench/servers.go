package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
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
	short  bool // fewer requests: to see that everything runs

	million *instance // with very many clients, once it is made
}

func newBench(short bool) (*bench, error) {
	dir, err := os.MkdirTemp("", "symbolon-bench-")
	if err != nil {
		return nil, err
	}
	var random [32]byte
	rand.Read(random[:]) // never fails (crypto/rand)
	b := &bench{dir: dir, secret: registry.FormatSecret(random), short: short}
	// Each goes by the name of its directory.
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir+"/",
		"./cmd/symbolon", "./bench/floor", "./bench/api", "./bench/proxy", "./bench/validators")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		b.close()
		return nil, fmt.Errorf("build: %w", err)
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

// api starts an API that takes the issuer's tokens.
func (b *bench) api(issuer *process) (*process, error) {
	return start(listening, nil, filepath.Join(b.dir, "api"),
		"-issuer", "http://"+issuer.addr, "-audience", benchAudience, "-scope", benchScope)
}

const stateYAML = `set: bench
apis:
  - id: orders
    identifier: ` + benchAudience + `
    scopes: {"` + benchScope + `": Read orders}
    token: {lifetime: 1h, algorithm: %s}
clients:
  - id: ` + benchClient + `
    secrets: [{id: s1, value_from: {env: BENCH_SECRET}}]
    access: {orders: ["` + benchScope + `"]}
`

const configYAML = `url: http://%[1]s
listen: ["%[1]s"]
data_dir: %[2]s
apply: %[3]s
`

// instance is a configured server, running or not.
type instance struct {
	b            *bench
	dir, state   string // the data directory, the declarative file
	config, addr string
	store        string   // the database's URL
	variables    []string // of its environment, NAME=value, besides the secret
}

// configure writes the files of a server with a data directory of that name,
// whose API takes tokens of the algorithm.
func (b *bench) configure(name, algorithm string) (*instance, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	i := &instance{b: b, dir: filepath.Join(b.dir, name), state: filepath.Join(b.dir, name+".state.yaml"),
		config: filepath.Join(b.dir, name+".yaml"), addr: addr}
	i.store = "sqlite:" + filepath.Join(i.dir, "symbolon.db")
	if err := os.WriteFile(i.state, fmt.Appendf(nil, stateYAML, algorithm), 0o600); err != nil {
		return nil, err
	}
	return i, os.WriteFile(i.config, fmt.Appendf(nil, configYAML, addr, i.dir, i.state), 0o600)
}

// start runs the server.
func (i *instance) start() (*process, error) {
	return start(listening, i.env(), filepath.Join(i.b.dir, "symbolon"), "serve", "--config", i.config)
}

func (i *instance) env() []string { return append(i.variables, "BENCH_SECRET="+i.b.secret) }

// set adds lines to the configuration of a server that does not run.
func (i *instance) set(lines string) error {
	f, err := os.OpenFile(i.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(lines)
	return errors.Join(err, f.Close())
}

// symbolon starts a server on a new data directory of that name.
func (b *bench) symbolon(name, algorithm string) (*process, error) {
	i, err := b.configure(name, algorithm)
	if err != nil {
		return nil, err
	}
	return i.start()
}

// freeAddr is an address that nobody listens on: the issuer's URL has to be
// known before its server starts.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// tokenJob is the token request of the one client.
func (b *bench) tokenJob(p *process, conns, n int) job {
	return job{Addr: p.addr, Path: "/token", Asks: []ask{b.tokenAsk()}, Conns: conns, N: n}
}

func (b *bench) tokenAsk() ask {
	return ask{Auth: basic(benchClient, b.secret), Form: clientCredentials(benchScope), Want: 200}
}
