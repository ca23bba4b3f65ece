package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/logtest"
)

// vault is a server and an API, over TLS, that tell what the program proved.
type vault struct {
	dir        string
	server     *httptest.Server
	key, proof *ecdsa.PrivateKey // of the assertions, and of a proof's file

	mu   sync.Mutex
	seen []string // a line for each request
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{dir: t.TempDir(), key: newP256(t), proof: newP256(t)}
	v.server = httptest.NewUnstartedServer(http.HandlerFunc(v.serve))
	v.server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	v.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	v.server.StartTLS()
	t.Cleanup(v.server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(v.server.Certificate())
	before := http.DefaultTransport
	trusting := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	http.DefaultTransport = trusting
	t.Cleanup(func() {
		http.DefaultTransport = before
		trusting.CloseIdleConnections()
	})
	v.put(t, "billing.key", "PRIVATE KEY", v.key)
	v.put(t, "proof.key", "PRIVATE KEY", v.proof)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "billing"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, v.key.Public(), v.key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(v.dir, "billing.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return v
}

func newP256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (v *vault) put(t *testing.T, name, kind string, key crypto.Signer) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(v.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// serve answers everything, and notes how the caller proved who it is.
func (v *vault) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/.well-known/") {
		fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q}`, v.server.URL, v.server.URL+"/token")
		return
	}
	kind := "Bearer"
	how := []string{r.URL.Path}
	if _, _, ok := r.BasicAuth(); ok {
		how = append(how, "secret")
	}
	if text := r.PostFormValue("client_assertion"); text != "" {
		how = append(how, "assertion"+v.check(text))
	}
	if len(r.TLS.PeerCertificates) > 0 {
		how = append(how, "certificate")
	}
	if text := r.Header.Get("DPoP"); text != "" {
		kind = "DPoP"
		how = append(how, "proof"+v.whose(text))
	}
	v.mu.Lock()
	v.seen = append(v.seen, strings.Join(how, " "))
	v.mu.Unlock()
	if r.URL.Path == "/token" {
		json.NewEncoder(w).Encode(symbolon.TokenAnswer{AccessToken: "t0ken", TokenType: kind, ExpiresIn: 60})
		return
	}
	io.WriteString(w, strings.TrimSuffix(r.Header.Get("Authorization"), "t0ken"))
}

// check tells the assertion's kid when its signature and audience are right.
func (v *vault) check(text string) string {
	key, err := jose.NewKey(v.key.Public(), "", "")
	if err != nil {
		return err.Error()
	}
	token, err := jose.Parse(text)
	if err != nil || token.Verify(key) != nil || !bytes.Contains(token.Payload, []byte(`"aud":"`+v.server.URL+`"`)) {
		return " that is wrong"
	}
	return token.Header.KeyID
}

// whose tells whether the proof is made by the file's key.
func (v *vault) whose(text string) string {
	p, err := jose.ParseProof(text)
	if err != nil {
		return err.Error()
	}
	key, err := p.Key()
	if err != nil || p.Verify(key) != nil {
		return " that is wrong"
	}
	if !v.proof.PublicKey.Equal(key.Public) {
		return " of a key of its own"
	}
	return ""
}

func (v *vault) exec(vars map[string]string, args ...string) (code int, stdout, stderr string) {
	var out bytes.Buffer
	var errs logtest.Buffer
	a := &app{
		name: "symbolon", now: time.Now, stdin: strings.NewReader(""), stdout: &out, stderr: &errs,
		env: func(name string) (string, bool) {
			value, ok := vars[name]
			return strings.ReplaceAll(value, "{dir}", v.dir), ok
		},
	}
	for i := range args {
		args[i] = strings.ReplaceAll(strings.ReplaceAll(args[i], "{dir}", v.dir), "{url}", v.server.URL)
	}
	v.mu.Lock()
	v.seen = nil
	v.mu.Unlock()
	code = run(context.Background(), a, args)
	return code, out.String(), slow.ReplaceAllString(errs.String(), "")
}

// TestCredentials: which of them authenticates, and what the token is bound to.
func TestCredentials(t *testing.T) {
	v := newVault(t)
	const secret, key, cert = "SYMBOLON_SECRET=s3cret", "SYMBOLON_KEY={dir}/billing.key", "SYMBOLON_CERT={dir}/billing.crt SYMBOLON_CERT_KEY={dir}/billing.key"
	for _, c := range []struct{ env, args, want string }{
		{secret, "", "secret"},
		{secret, "--key {dir}/billing.key", "assertion"},
		{secret, "--key {dir}/billing.key --kid k1", "assertionk1"},
		{secret, "--key {dir}/billing.key --token-url {url}/token", "assertion"},
		{secret, "--cert {dir}/billing.crt --cert-key {dir}/billing.key", "certificate"},
		{secret, "--key {dir}/billing.key --cert {dir}/billing.crt --cert-key {dir}/billing.key", "assertion certificate"},
		{"OTHER=s3cret", "--secret-env OTHER --cert {dir}/billing.crt --cert-key {dir}/billing.key", "secret certificate"},
		{key + " " + secret + " SYMBOLON_KID=k2", "", "assertionk2"},
		{key + " OTHER=s3cret", "--secret-env OTHER", "secret"},
		{key + " " + cert, "", "assertion certificate"},
		{key + " " + secret, "--cert {dir}/billing.crt --cert-key {dir}/billing.key", "certificate"},
		{cert, "", "certificate"},
		{cert + " " + secret, "", "secret certificate"},
		{secret, "--dpop", "secret proof of a key of its own"},
		{secret, "--dpop-key {dir}/proof.key", "secret proof"},
		{secret + " SYMBOLON_DPOP_KEY={dir}/proof.key", "", "secret proof"},
		{key + " " + cert, "--dpop-key {dir}/proof.key", "assertion certificate proof"},
	} {
		vars := map[string]string{envIssuer: v.server.URL, envClient: "billing"}
		for _, pair := range strings.Fields(c.env) {
			name, value, _ := strings.Cut(pair, "=")
			vars[name] = value
		}
		code, out, errs := v.exec(vars, append([]string{"token", "-o", "header"}, strings.Fields(c.args)...)...)
		scheme := "Bearer"
		if strings.Contains(c.want, "proof") {
			scheme = "DPoP"
		}
		if code != 0 || out != "Authorization: "+scheme+" t0ken\n" || strings.Join(v.seen, ",") != "/token "+c.want {
			t.Errorf("%s token %s: %d %s%s: %q", c.env, c.args, code, out, errs, v.seen)
		}
		code, out, errs = v.exec(vars, append([]string{"call", v.server.URL + "/orders"}, strings.Fields(c.args)...)...)
		_, bound, _ := strings.Cut(" "+c.want, " ")
		bound = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(bound, "assertionk1"), "assertionk2"), "assertion"), "secret")
		if want := strings.TrimSpace("/orders " + strings.TrimSpace(bound)); code != 0 || out != scheme+" " || len(v.seen) != 2 || v.seen[1] != want {
			t.Errorf("%s call %s: %d %q %s: %q, want %q", c.env, c.args, code, out, errs, v.seen, want)
		}
	}
}

// TestCredentialErrors: what to correct, and nothing of a key.
func TestCredentialErrors(t *testing.T) {
	v := newVault(t)
	text, err := os.ReadFile(filepath.Join(v.dir, "billing.key"))
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Split(string(text), "\n")[1]
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 2, "--key, or a certificate with --cert"},
		{[]string{"--key", "{dir}/none"}, 2, "--key: the key's file cannot be opened"},
		{[]string{"--key", "{dir}/billing.crt"}, 2, "--key: "},
		{[]string{"--key", string(text)}, 2, "--key is the name of a file"},
		{[]string{"--key", `{"kty":"EC","d":"` + body + `"}`}, 2, "--key is the name of a file"},
		{[]string{"--dpop-key", string(text), "--key", "{dir}/billing.key"}, 2, "--dpop-key is the name of a file"},
		{[]string{"--key", "{dir}/billing.key", "--secret-file", "x"}, 2, "give one of --key and a secret"},
		{[]string{"--key", "{dir}/billing.key", "--secret-env", "x"}, 2, "give one of --key and a secret"},
		{[]string{"--kid", "k1", "--cert", "{dir}/billing.crt"}, 2, "--kid is the id of a key"},
		{[]string{"--cert-key", "{dir}/billing.key"}, 2, "--cert-key is the key of a certificate"},
		{[]string{"--cert", "{dir}/billing.crt"}, 2, "--cert: "},
		{[]string{"--cert", "{dir}/billing.crt", "--cert-key", "{dir}/proof.key"}, 2, "--cert: "},
		{[]string{"--key", "{dir}/billing.key", "--cert", "{dir}/none"}, 2, "--cert: the certificate's file cannot be opened"},
		{[]string{"--key", "{dir}/billing.key", "--dpop-key", "{dir}/none"}, 1, "--dpop-key: "},
		{[]string{"--key", "{dir}/billing.key", "--dpop-key", "{dir}/billing.crt"}, 2, "--dpop-key: "},
	} {
		for _, command := range [][]string{{"token"}, {"call", "{url}/orders"}} {
			code, out, errs := v.exec(map[string]string{envIssuer: v.server.URL, envClient: "billing"}, append(command, c.args...)...)
			if code != c.code || !strings.Contains(errs, c.want) || strings.Contains(out+errs, body) {
				t.Errorf("%s %.60q: %d %s", command[0], c.args, code, errs)
			}
		}
	}
	code, _, errs := v.exec(map[string]string{envKey: string(text)}, "token")
	if code != 2 || !strings.Contains(errs, "$SYMBOLON_KEY is the name of a file") || strings.Contains(errs, body) {
		t.Errorf("%d %s", code, errs)
	}
	code, _, errs = v.exec(map[string]string{envKey: "{dir}/billing.key", envClient: "billing"}, "token", "--token-url", v.server.URL+"/token")
	if code != 2 || !strings.Contains(errs, "--issuer: is empty") {
		t.Errorf("%d %s", code, errs)
	}
	code, _, errs = v.exec(map[string]string{envSecret: "s"}, "call", "-H", "dpop: x", v.server.URL)
	if code != 2 || !strings.Contains(errs, "DPoP is what call itself sends") {
		t.Errorf("%d %s", code, errs)
	}
}
