package server

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

// canary stands in all that bad hosts say. It must turn up nowhere.
const canary = "CANARY-7b1f"

// says answers with a status and a body.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// TestBadHostsOfKeys: whatever a host answers, it costs a bounded time and
// memory, brings no key, and is told of in our words (rows 43 and 53).
func TestBadHostsOfKeys(t *testing.T) {
	good := string((&jose.KeySet{Keys: []*jose.Key{keyNamed(t, "k1")}}).JSON())
	var many []*jose.Key
	for i := range maxKeysOfSet + 1 {
		many = append(many, rsaKey(t, 2048, "", fmt.Sprint("k", i)))
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, good)
	z.Close()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/"+canary, http.StatusFound)
				return
			}
			io.WriteString(w, good)
		}, "answered 302: redirects are not followed"},
		"a 308 with keys in it": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://169.254.169.254/")
			says(http.StatusPermanentRedirect, good)(w, nil)
		}, "answered 308: redirects"},
		"endless body (CVE-2026-26998)": {func(w http.ResponseWriter, _ *http.Request) {
			for line := []byte(strings.Repeat(canary, 1000)); ; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}, "more than 256 KiB"},
		"one octet too many": {says(200, good+strings.Repeat(" ", maxKeySetBody+1-len(good))), "more than 256 KiB"},
		"slow body": {func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, good[:10])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "did not answer in time"},
		"slow header": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "did not answer in time"},
		"huge header": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat(canary, 2*maxKeySetHeader/len(canary)))
			io.WriteString(w, good)
		}, "a header of at most 16 KiB"},
		"many hints before the answer": {func(w http.ResponseWriter, _ *http.Request) {
			for range 1000 {
				w.Header().Set("Link", canary)
				w.WriteHeader(http.StatusEarlyHints)
			}
			io.WriteString(w, good)
		}, "gave no HTTP answer"},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			io.WriteString(w, good)
		}, "broke it off"},
		"404":             {says(404, canary), "answered 404 where"},
		"500 with keys":   {says(500, good), "answered 500 where"},
		"204":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "answered 204 where"},
		"206":             {says(206, good), "answered 206 where"},
		"garbage":         {says(200, "<html>"+canary), "is no key set"},
		"nothing":         {says(200, ""), "is no key set"},
		"an array":        {says(200, "["+good+"]"), "is no key set"},
		"two sets":        {says(200, good+good), "is no key set"},
		"keys twice":      {says(200, strings.TrimSuffix(good, "}")+`,"keys":[]}`), "is no key set"},
		"100,000 deep":    {says(200, `{"keys":[],"x":`+strings.Repeat("[", 100_000)), "is no key set"},
		"65 keys":         {says(200, string((&jose.KeySet{Keys: many}).JSON())), "holds 65 keys: at most 64"},
		"50,000 non-keys": {says(200, `{"keys":[`+strings.Repeat("{},", 50_000)+`{}]}`), "holds 50001 keys: at most 64"},
		"compressed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(zipped.Bytes())
		}, "is no key set"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newKeyHost(t)
			h.set(c.answer)
			w := newKeyWorld(t, func(_ *KeySourceConfig, l *keyLimits) {
				if strings.HasPrefix(name, "slow") {
					l.patience = 200 * time.Millisecond
				}
			})
			w.refuses(t, h.URL+"/", c.says)
			h.asked(t, 1)
		})
	}
}

// refuses asks once and compares the reason.
func (w *keyWorld) refuses(t *testing.T, uri, says string) {
	t.Helper()
	err := w.gives(t, uri, "k1", "")
	if err == nil {
		return
	}
	w.settle()
	if !strings.Contains(err.Error(), says) {
		t.Errorf("%v, want %q", err, says)
	}
	if log := w.log(); strings.Contains(err.Error()+log, canary) || !strings.Contains(log, "level=WARN") {
		t.Errorf("%v\n%s", err, log)
	}
}

// TestGoodHostsOfKeys: what a host may do in its own way.
func TestGoodHostsOfKeys(t *testing.T) {
	k := keyNamed(t, "k1")
	good := string((&jose.KeySet{Keys: []*jose.Key{k}}).JSON())
	for name, answer := range map[string]http.HandlerFunc{
		"another type": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, good)
		},
		"as long as may be":  says(200, good+strings.Repeat(" ", maxKeySetBody-len(good))),
		"keys of other uses": says(200, strings.Replace(good, "[", `[{"kty":"oct","k":"`+canary+`","kid":"`+canary+`"},{"kty":"`+canary+`"},7,`, 1)),
	} {
		for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
			t.Run(name+" over "+protocol, func(t *testing.T) {
				h := &keyHost{}
				h.set(func(w http.ResponseWriter, r *http.Request) {
					if r.Proto != protocol || r.Method != http.MethodGet || r.Header.Get("Accept-Encoding") != "" || r.Header.Get("Cookie") != "" ||
						r.Header.Get("Accept") != "application/jwk-set+json, application/json" || r.URL.RawQuery != "secret="+canary {
						t.Errorf("%s %s %s: %v", r.Proto, r.Method, r.URL, r.Header)
					}
					w.Header().Set("Set-Cookie", "a=b")
					answer(w, r)
				})
				h.Server = httptest.NewUnstartedServer(h)
				h.EnableHTTP2 = protocol == "HTTP/2.0"
				h.StartTLS()
				t.Cleanup(h.Close)
				w := newKeyWorld(t, nil)
				w.gives(t, h.URL+"/keys?secret="+canary, "k1", "k1")
				w.advance(time.Hour)
				w.gives(t, h.URL+"/keys?secret="+canary, "k2", "")
				h.asked(t, 2)
				w.settle()
				if strings.Contains(w.log(), canary) {
					t.Errorf("a key's content, or a query, is in the log:\n%s", w.log())
				}
				if want := "a key of a client is not used"; strings.Contains(name, "other uses") != strings.Contains(w.log(), want) {
					t.Errorf("log:\n%s", w.log())
				}
			})
		}
	}
}

// TestHugeHeaderOverHTTP2: the bound holds for the other protocol too.
func TestHugeHeaderOverHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Error(r.Proto)
		}
		for i := range 100 {
			w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 1000))
		}
		io.WriteString(w, `{"keys":[]}`)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	newKeyWorld(t, nil).refuses(t, s.URL, "a header of at most 16 KiB")
}

// selfSigned is a certificate for 127.0.0.1, changed.
func selfSigned(t *testing.T, change func(*x509.Certificate)) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{canary + ".example"},
		IsCA: true, BasicConstraintsValid: true,
	}
	change(c)
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// TestCertificatesOfKeyHosts: nobody else can publish a client's keys.
func TestCertificatesOfKeyHosts(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		server func(*tls.Config)
		trust  func(*KeySourceConfig)
		says   string
	}{
		"good":              {},
		"unknown authority": {trust: func(c *KeySourceConfig) { c.RootCAs = nil }, says: "an authority that this node does not trust"},
		"no authority":      {trust: func(c *KeySourceConfig) { c.RootCAs = x509.NewCertPool() }, says: "an authority that this node does not trust"},
		"another name":      {change: func(c *x509.Certificate) { c.IPAddresses = nil }, says: "a certificate for other names"},
		"expired":           {change: func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, says: "has expired"},
		"not valid yet":     {change: func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, says: "is not valid yet"},
		"for clients only": {change: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} },
			says: "not good for a server"},
		"TLS 1.1": {server: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, says: "does not speak TLS 1.2"},
		"TLS 1.2": {server: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change == nil {
				c.change = func(*x509.Certificate) {}
			}
			cert, roots := selfSigned(t, c.change)
			h := &keyHost{}
			h.publish(keyNamed(t, "k1"))
			h.Server = httptest.NewUnstartedServer(h)
			h.Config.ErrorLog = log.New(io.Discard, "", 0)
			h.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
			if c.server != nil {
				c.server(h.TLS)
			}
			h.StartTLS()
			defer h.Close()
			w := newKeyWorld(t, func(cfg *KeySourceConfig, _ *keyLimits) {
				cfg.RootCAs = roots
				if c.trust != nil {
					c.trust(cfg)
				}
			})
			if c.says == "" {
				w.gives(t, h.URL, "k1", "k1")
				return
			}
			w.refuses(t, h.URL, c.says)
			h.asked(t, 0)
		})
	}
}

// TestHostsThatAreNone: no TLS, no HTTP, nobody there.
func TestHostsThatAreNone(t *testing.T) {
	plain := newKeyHost(t)
	bare := httptest.NewServer(plain)
	defer bare.Close()
	newKeyWorld(t, nil).refuses(t, strings.Replace(bare.URL, "http:", "https:", 1), "does not speak TLS")

	gone := newKeyHost(t)
	gone.Close()
	newKeyWorld(t, nil).refuses(t, gone.URL, "cannot be reached: connection refused")

	rubbish := newKeyHost(t)
	rubbish.set(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, canary+" "+canary+"\r\n\r\n")
	})
	newKeyWorld(t, nil).refuses(t, rubbish.URL, "gave no HTTP answer")

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			bufio.NewReader(conn).ReadByte()
			io.WriteString(conn, canary)
			conn.Close()
		}
	}()
	newKeyWorld(t, nil).refuses(t, "https://"+l.Addr().String(), "does not speak TLS")
}

// TestJWKSURIsThatAreNone are refused before anybody is asked; the registry
// refuses them when they are registered.
func TestJWKSURIsThatAreNone(t *testing.T) {
	h := newKeyHost(t, keyNamed(t, "k1"))
	rest := strings.TrimPrefix(h.URL, "https:")
	for _, uri := range []string{
		"", "keys", rest, "http:" + rest, "file:///etc/passwd", "ftp:" + rest, "https:", "https:///keys", "https://:443/keys", "https:keys",
		"https://user@" + rest[2:], "https://user:" + canary + "@" + rest[2:], "https://127.0.0.1:port/", "https://[::1/", h.URL + "/\x00", " " + h.URL, h.URL + "/%zz",
	} {
		newKeyWorld(t, nil).refuses(t, uri, errKeyURI.Error())
	}
	h.asked(t, 0)
}
