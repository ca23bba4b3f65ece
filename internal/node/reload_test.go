package node

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/logtest"
	"github.com/symbolon/symbolon/internal/web"
)

// jumping is a clock on which every look is one after recheck.
func jumping() func() time.Time {
	var n atomic.Int64
	return func() time.Time { return time.Unix(0, 0).Add(time.Duration(n.Add(1)) * web.Recheck) }
}

// TestClientCAFile: all roots of a file or none; a message says what to do.
func TestClientCAFile(t *testing.T) {
	var nobody *authority
	one, two, leaf := newAuthority(t, "One", nil), newAuthority(t, "Two", nil), nobody.client(t, "billing")
	text := pemOf(one.cert, two.cert)
	noSign := sign(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature}, nil)
	for name, c := range map[string]struct {
		text []byte
		want string // part of the error; empty: both are roots
	}{
		"two roots":                   {text, ""},
		"texts between, as openssl":   {slices.Concat([]byte("subject=CN = One\n"), pemOf(one.cert), []byte("\nsubject=CN = Two\n"), pemOf(two.cert), []byte("\n\n")), ""},
		"lines of another system":     {bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), ""},
		"empty":                       {nil, `or the one line "# nobody" to trust no CA`},
		"spaces alone":                {[]byte("\n \n"), "no certificate in it"},
		"a comment alone":             {[]byte("# roots of the partners\n"), "no certificate in it"},
		"nobody, and then a root":     {slices.Concat([]byte("# nobody\n"), text), ""},
		"DER":                         {one.cert.Raw, "no certificate in it"},
		"cut off in the second":       {text[:len(text)-100], "cut off"},
		"cut off in the first":        {text[:100], "cut off"},
		"broken, and then a good one": {slices.Concat([]byte("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"), text), "cut off"},
		"not a certificate's DER":     {slices.Concat(text, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), "certificate 3 cannot be read"},
		"a key beside it":             {slices.Concat(text, keyOf(t, leaf)), "block 3 is no certificate"},
		"a client's own":              {slices.Concat(text, pemOf(leaf.Leaf)), "certificate 3 (CN=billing) may not sign others; write the CA's certificate here, and a client's own into the client"},
		"a CA that may not sign":      {slices.Concat(text, pemOf(noSign.Leaf)), "may not sign others"},
		"too large":                   {slices.Concat(text, bytes.Repeat([]byte("\n"), maxPool)), "is larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ca.pem")
			write(t, file, c.text)
			pool, err := readPool(file)
			switch {
			case c.want == "" && (err != nil || !trusts(pool, one) || !trusts(pool, two)):
				t.Fatal(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) || pool != nil):
				t.Fatalf("got %v, want it to say %q", err, c.want)
			}
		})
	}
}

func trusts(pool *x509.CertPool, a *authority) bool {
	_, err := a.cert.Verify(x509.VerifyOptions{Roots: pool})
	return err == nil
}

// TestClientCAsAreReadAgain: a new file counts without a restart; one that
// cannot be used keeps the one before, and is logged once; what goes takes its
// clients with it.
func TestClientCAsAreReadAgain(t *testing.T) {
	one, two := newAuthority(t, "One", nil), newAuthority(t, "Two", nil)
	file := filepath.Join(t.TempDir(), "ca.pem")
	write(t, file, pemOf(one.cert))
	var log logtest.Buffer
	cas, err := loadClientCAs(file, jumping(), log.Logger())
	if err != nil {
		t.Fatal(err)
	}
	is := func(when string, first, second bool) {
		t.Helper()
		pool := cas.get()
		if trusts(pool, one) != first || trusts(pool, two) != second {
			t.Errorf("%s: One %v, Two %v", when, trusts(pool, one), trusts(pool, two))
		}
	}
	is("at the start", true, false)
	replace(t, file, pemOf(one.cert, two.cert))
	is("a second one", true, true)
	both := pemOf(one.cert, two.cert)
	for name, spoil := range map[string]func(){
		"truncated":    func() { replace(t, file, both[:len(both)-50]) },
		"empty":        func() { replace(t, file, nil) },
		"not there":    func() { remove1(t, file) },
		"no directory": func() { remove1(t, file); mkdir(t, file) },
	} {
		os.RemoveAll(file)
		replace(t, file, both)
		is("before "+name, true, true)
		said := log.Count("the one before stays")
		spoil()
		for range 5 {
			is(name, true, true)
		}
		if n := log.Count("the one before stays") - said; n != 1 {
			t.Errorf("%s was logged %d times, want once", name, n)
		}
	}
	os.RemoveAll(file)
	replace(t, file, pemOf(two.cert))
	is("the first gone", false, true)
	replace(t, file, []byte("# nobody\n"))
	is("nobody", false, false)
}

// TestAnUnusableFileIsToldAgain: who emptied client_ca to trust nobody any more
// must not believe that it worked. The log says how.
func TestAnUnusableFileIsToldAgain(t *testing.T) {
	one := newAuthority(t, "One", nil)
	file := filepath.Join(t.TempDir(), "ca.pem")
	write(t, file, pemOf(one.cert))
	var log logtest.Buffer
	now := time.Unix(1000, 0)
	cas, err := loadClientCAs(file, func() time.Time { return now }, log.Logger())
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, nil)
	for step, want := range []int{1, 1, 2, 2} {
		now = now.Add(5 * time.Minute)
		if !trusts(cas.get(), one) || log.Count("the one before stays: the roots that were trusted still are; write the file again, or, for no root at all, only # nobody") != want {
			t.Errorf("step %d: want it told %d times, got %s", step, want, &log)
		}
	}
}

// replace puts a file in the place of another, as programs that renew
// certificates do.
func replace(t *testing.T, file string, text []byte) {
	t.Helper()
	write(t, file+".new", text)
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func remove1(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

// TestReloadUnderLoad: a hundred changes of the server's pair and of the
// roots, with files that are half written on the way, while handshakes go on:
// none fails, every client of the lasting root is known all the time, and what is
// spoken stays TLS 1.2 or newer (CVE-2024-23656).
func TestReloadUnderLoad(t *testing.T) {
	const swaps, clients = 100, 3
	dir := t.TempDir()
	roots := newAuthority(t, "Roots", nil)
	pairs := []tls.Certificate{roots.server(t, "auth.example.com"), roots.server(t, "auth.example.com")}
	names := files(t, dir, pairs[0])
	ca := filepath.Join(dir, "ca.pem")
	texts := [][]byte{pemOf(roots.cert), pemOf(newAuthority(t, "Other", nil).cert, roots.cert)}
	write(t, ca, texts[0])
	var log logtest.Buffer
	cert, err := web.LoadCertificate(names.Cert, names.Key, jumping(), log.Logger())
	if err != nil {
		t.Fatal(err)
	}
	cas, err := loadClientCAs(ca, jumping(), log.Logger())
	if err != nil {
		t.Fatal(err)
	}
	addr := serveKnown(t, web.AskCertificates(cert.TLSConfig()), cas)

	var load sync.WaitGroup
	stop, went := make(chan struct{}), make(chan struct{}, clients)
	var handshakes, failures atomic.Int64
	held := roots.client(t, "billing")
	for range clients {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				handshakes.Add(1)
				select {
				case went <- struct{}{}:
				default:
				}
				if err := known(addr, roots, held); err != nil && failures.Add(1) < 5 {
					t.Error(err)
				}
			}
		})
	}
	for i := range swaps {
		next := pairs[(i+1)%2]
		// In place, as editors do, and not at once: what is there in between is
		// half a file, and then a certificate beside the key of another.
		write(t, names.Cert, pemOf(next.Leaf)[:200])
		write(t, names.Cert, pemOf(next.Leaf))
		write(t, names.Key, keyOf(t, next))
		write(t, ca, texts[(i+1)%2][:100])
		replace(t, ca, texts[(i+1)%2])
		for range clients {
			<-went
		}
		if i%25 == 24 {
			modern(t, addr, roots)
		}
	}
	close(stop)
	load.Wait()
	t.Logf("%d handshakes, %d pairs and roots read, %d files refused", handshakes.Load(), log.Count("read again"), log.Count("the one before stays"))
	if failures.Load() > 0 || log.Count("read again") < swaps/2 {
		t.Errorf("%d of %d handshakes failed; read again %d times", failures.Load(), handshakes.Load(), log.Count("read again"))
	}
}

// serveKnown says which client has a certificate that leads to a root.
func serveKnown(t *testing.T, cfg *tls.Config, cas *clientCAs) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaf := r.TLS.PeerCertificates[0]
		_, err := leaf.Verify(x509.VerifyOptions{Roots: cas.get(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		fmt.Fprintf(w, "%s %v", leaf.Subject.CommonName, err)
	})}
	go s.Serve(tls.NewListener(l, cfg))
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// known connects once and is known there.
func known(addr string, roots *authority, held tls.Certificate) error {
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots.pool(), ServerName: "auth.example.com", Certificates: []tls.Certificate{held}})
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	answer, err := io.ReadAll(conn)
	if err == nil && !bytes.HasSuffix(answer, []byte("billing <nil>")) {
		err = fmt.Errorf("answered %q", answer)
	}
	return err
}

func modern(t *testing.T, addr string, roots *authority) {
	t.Helper()
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots.pool(), ServerName: "auth.example.com", MinVersion: version, MaxVersion: version})
		if err == nil {
			conn.Close()
		}
		if (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}
