package resource

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
)

// TestRFC8414_6_1_NoKeysFromAnUnknownServer: keys decide whose tokens are
// taken. From a server whose certificate does not verify, or is of another
// name, neither the metadata nor the key set is, and no token.
func TestRFC8414_6_1_NoKeysFromAnUnknownServer(t *testing.T) {
	i := newIssuer(t)
	srv := httptest.NewUnstartedServer(i)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are no news
	srv.StartTLS()
	t.Cleanup(srv.Close)
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	for name, c := range map[string]struct {
		url  string
		tls  *tls.Config
		good bool
	}{
		"an unknown issuer of certificates": {srv.URL, &tls.Config{RootCAs: x509.NewCertPool()}, false},
		"a certificate of another name":     {strings.Replace(srv.URL, "127.0.0.1", "localhost", 1), &tls.Config{RootCAs: pool}, false},
		"an expired certificate":            {srv.URL, &tls.Config{RootCAs: pool, Time: func() time.Time { return srv.Certificate().NotAfter.Add(time.Hour) }}, false},
		"the issuer itself":                 {srv.URL, &tls.Config{RootCAs: pool}, true},
	} {
		t.Run(name, func(t *testing.T) {
			tr := &http.Transport{TLSClientConfig: c.tls}
			t.Cleanup(tr.CloseIdleConnections)
			i.url = c.url
			checkPeer(t, i, tr, c.good)
			// The metadata from a loopback name, the keys alone over TLS.
			var front *httptest.Server
			front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, front.URL, c.url+"/jwks")
			}))
			t.Cleanup(front.Close)
			i.url = front.URL
			checkPeer(t, i, tr, c.good)
		})
	}
}

// checkPeer expects an API that knows its issuer by this transport to take the
// issuer's token, or to have no keys because of a certificate.
func checkPeer(t *testing.T, i *issuer, tr *http.Transport, good bool) {
	t.Helper()
	cfg := i.config()
	cfg.HTTP = &http.Client{Transport: tr}
	a := newAPI(t, cfg)
	before := i.metadataRequests.Load() + i.keyRequests.Load()
	_, checks, err := a.Explain(t.Context(), with(i.token(t, nil)))
	after := i.metadataRequests.Load() + i.keyRequests.Load()
	switch {
	case good && err != nil:
		t.Error(err)
	case good:
	case !errors.Is(err, symbolon.NewError(symbolon.TemporarilyUnavailable, "")) || after != before:
		t.Errorf("%v after %d requests", err, after-before)
	case !strings.Contains(checks[len(checks)-1].Fix, "failed to verify certificate"):
		t.Errorf("the reason is not told: %+v", checks[len(checks)-1])
	}
}
