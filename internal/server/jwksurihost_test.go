package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

// keyHost is a client's host: a real HTTPS server that counts who asks.
type keyHost struct {
	*httptest.Server
	fetches atomic.Int64

	mu     sync.Mutex
	answer http.HandlerFunc
}

func (h *keyHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.fetches.Add(1)
	h.mu.Lock()
	answer := h.answer
	h.mu.Unlock()
	answer(w, r)
}

func (h *keyHost) set(answer http.HandlerFunc) {
	h.mu.Lock()
	h.answer = answer
	h.mu.Unlock()
}

// publish answers with these keys from now on.
func (h *keyHost) publish(keys ...*jose.Key) {
	text := (&jose.KeySet{Keys: keys}).JSON()
	h.set(func(w http.ResponseWriter, _ *http.Request) { w.Write(text) })
}

func newKeyHost(t testing.TB, keys ...*jose.Key) *keyHost {
	t.Helper()
	h := new(keyHost)
	h.Server = httptest.NewUnstartedServer(h)
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.publish(keys...)
	h.StartTLS()
	t.Cleanup(h.Close)
	return h
}

// keyWorld is a KeySource that may ask loopback, with a clock that the test
// sets and a log that it reads.
type keyWorld struct {
	*KeySource
	mu    sync.Mutex
	clock time.Time
	lines strings.Builder
}

func (w *keyWorld) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *keyWorld) advance(d time.Duration) {
	w.mu.Lock()
	w.clock = w.clock.Add(d)
	w.mu.Unlock()
}

func (w *keyWorld) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines.Write(p)
}

func (w *keyWorld) log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines.String()
}

// settle waits for the fetches under way.
func (w *keyWorld) settle() {
	w.KeySource.mu.Lock()
	var rounds []chan struct{}
	for at := w.memory.order.Front(); at != nil; at = at.Next() {
		if r := at.Value.(*keyEntry).round; r != nil {
			rounds = append(rounds, r)
		}
	}
	w.KeySource.mu.Unlock()
	for _, r := range rounds {
		<-r
	}
}

// waiting is how many requests wait for the URI.
func (w *keyWorld) waiting(uri string) int {
	w.KeySource.mu.Lock()
	defer w.KeySource.mu.Unlock()
	if at := w.memory.entries[uri]; at != nil {
		return at.Value.(*keyEntry).waiting
	}
	return 0
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// newKeyWorld trusts the certificate that all of httptest's servers have.
func newKeyWorld(t testing.TB, change func(*KeySourceConfig, *keyLimits)) *keyWorld {
	t.Helper()
	w := &keyWorld{clock: start}
	any := httptest.NewTLSServer(nil)
	any.Close()
	roots := x509.NewCertPool()
	roots.AddCert(any.Certificate())
	cfg := KeySourceConfig{
		Allow: loopback, RootCAs: roots, Now: w.now,
		Logger: slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	limits := usualLimits
	limits.wait, limits.patience = time.Minute, time.Minute // a busy machine is no slow host
	if change != nil {
		change(&cfg, &limits)
	}
	w.KeySource = newKeySource(cfg, limits)
	t.Cleanup(w.Close)
	return w
}

// keyNamed is a new ES256 key.
func keyNamed(t testing.TB, kid string) *jose.Key {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return checkedKey(t, k.Public(), "", kid)
}

func checkedKey(t testing.TB, pub any, alg jose.Algorithm, kid string) *jose.Key {
	t.Helper()
	k, err := jose.NewKey(pub, alg, kid)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// rsaKey has a modulus without an owner, which takes no time to make.
func rsaKey(t testing.TB, bits uint, alg jose.Algorithm, kid string) *jose.Key {
	t.Helper()
	for {
		n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), bits-1))
		if err != nil {
			t.Fatal(err)
		}
		n.SetBit(n.SetBit(n, 0, 1), int(bits-1), 1)
		if k, err := jose.NewKey(&rsa.PublicKey{N: n, E: 65537}, alg, kid); err == nil {
			return k
		}
	}
}

func kidsOf(keys []*jose.Key) string {
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	return strings.Join(ids, " ")
}

// gives asks for keys and compares their ids; "" expects an error, and gives it.
func (w *keyWorld) gives(t testing.TB, uri, kid, want string) error {
	t.Helper()
	keys, err := w.Keys(t.Context(), uri, kid, jose.ES256)
	if got := kidsOf(keys); got != want || (err == nil) != (want != "") {
		t.Errorf("kid %q: keys %q and error %v, want %q", kid, got, err, want)
	}
	return err
}

// asked compares how often the host was asked.
func (h *keyHost) asked(t testing.TB, want int64) {
	t.Helper()
	if n := h.fetches.Load(); n != want {
		t.Errorf("the host was asked %d times, want %d", n, want)
	}
}
