package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/node"
	"github.com/symbolon/symbolon/internal/pgtest"
)

const killState = `
apis: [{id: orders, issuer: default, identifier: "https://orders.example.com", scopes: {"orders:read": Read}}]
clients: [{id: billing, secrets: [{id: s1, hash: "%s"}], access: {orders: ["orders:read"]}}]
`

// victim is a server that is killed and started again, and what it had
// acknowledged before.
type victim struct {
	dir, addr, secret string
	store             string

	changed chan struct{} // gets a value when a change was acknowledged

	mu      sync.Mutex
	tokens  []string // jti of each token that arrived
	clients []string // ids of clients whose creation was acknowledged
}

// TestKillNineLosesNothing kills the whole program at random moments under
// load: every token that arrived has its record in the spool, and every change
// that was acknowledged is in the store.
func TestKillNineLosesNothing(t *testing.T) {
	rounds := 8
	if soak {
		rounds = 200
	}
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t, backend)
			for i := range rounds {
				// Every other time not before a change was acknowledged, so that
				// there is something to lose however slow the machine is.
				v.runAndKill(t, i%2 == 1, 5*time.Millisecond+rand.N(295*time.Millisecond))
			}
			v.check(t)
		})
	}
}

func newVictim(t *testing.T, backend string) *victim {
	t.Helper()
	addr, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	secret, hash := generatedSecret()
	v := &victim{dir: t.TempDir(), addr: addr, secret: secret, store: "sqlite", changed: make(chan struct{}, 1)}
	if backend == "postgres" {
		v.store = pgtest.Database(t)
	}
	if err := os.WriteFile(filepath.Join(v.dir, "state.yaml"), fmt.Appendf(nil, killState, hash), 0o600); err != nil {
		t.Fatal(err)
	}
	return v
}

// start runs the server until it is ready.
func (v *victim) start(t *testing.T) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command("symbolon", "serve", "--log", "warn", "--url", "http://"+v.addr, "--listen", v.addr, "--store", v.store,
		"--data-dir", filepath.Join(v.dir, "data"), "--apply", filepath.Join(v.dir, "state.yaml"))
	output := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(output.String())
		}
	})
	waitUntil200(t, "http://"+v.addr+"/readyz")
	return cmd, output
}

// runAndKill loads the server from two connections and changes it from one,
// until it is killed: some time after its start, or after a change was
// acknowledged.
func (v *victim) runAndKill(t *testing.T, changed bool, after time.Duration) {
	t.Helper()
	cmd, _ := v.start(t)
	select {
	case <-v.changed: // of the round before
	default:
	}
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for range 2 {
		load.Go(func() { v.askTokens(ctx) })
	}
	load.Go(func() { v.createClients(ctx) })
	if changed {
		select {
		case <-v.changed:
		case <-time.After(30 * time.Second):
			t.Error("no change was acknowledged within 30 s")
		}
	}
	time.Sleep(after) // the moment of the kill is the experiment
	cmd.Process.Kill()
	cmd.Wait()
	stop()
	load.Wait()
}

func (v *victim) askTokens(ctx context.Context) {
	var c http.Client
	defer c.CloseIdleConnections()
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+v.addr+"/token", strings.NewReader("grant_type=client_credentials"))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("billing", v.secret)
		var answer symbolon.TokenAnswer
		if ask(&c, req, http.StatusOK, &answer) {
			v.mu.Lock()
			v.tokens = append(v.tokens, jtiOf(answer.AccessToken))
			v.mu.Unlock()
		}
	}
}

// createClients makes clients over the socket, one after the other.
func (v *victim) createClients(ctx context.Context) {
	socket := node.SocketPath(filepath.Join(v.dir, "data"))
	c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer c.CloseIdleConnections()
	for ctx.Err() == nil {
		id := fmt.Sprintf("c%016x", rand.Uint64())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://admin/admin/v1/clients",
			strings.NewReader(`{"id":"`+id+`","access":{"orders":["orders:read"]}}`))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/json")
		var created json.RawMessage
		if ask(&c, req, http.StatusCreated, &created) {
			v.mu.Lock()
			v.clients = append(v.clients, id)
			v.mu.Unlock()
			select {
			case v.changed <- struct{}{}:
			default:
			}
		}
	}
}

// ask reports whether the whole answer arrived with that status.
func ask(c *http.Client, req *http.Request, status int, into any) bool {
	resp, err := c.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return err == nil && resp.StatusCode == status && json.Unmarshal(body, into) == nil
}

// check starts the server once more and compares.
func (v *victim) check(t *testing.T) {
	t.Helper()
	cmd, _ := v.start(t)
	defer func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server did not stop well: %v", err)
		}
	}()
	if len(v.tokens) < 100 || len(v.clients) < 3 {
		t.Fatalf("only %d tokens and %d clients were acknowledged: the load was none", len(v.tokens), len(v.clients))
	}
	recorded := make(map[string]bool)
	err := audit.Scan(filepath.Join(v.dir, "data", "spool"), audit.Position{}, func(r *audit.Record, _ audit.Position) error {
		recorded[r.JTI] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, jti := range v.tokens {
		if !recorded[jti] {
			t.Errorf("token %s left without a record", jti)
		}
	}
	out, err := shell(t, v.dir, "symbolon export --data-dir data; symbolon audit verify --data-dir data >&2")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range v.clients {
		if !strings.Contains(out, id) {
			t.Errorf("client %s was acknowledged and is not there", id)
		}
	}
	t.Logf("%d tokens and %d clients acknowledged, none lost", len(v.tokens), len(v.clients))
}
