package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUntrustedServers: who calls a server with a certificate of an authority of
// their own is told how to trust it, of the issuer and of the API.
func TestUntrustedServers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"t","token_type":"Bearer","expires_in":60}`)
	}))
	defer issuer.Close()
	with := " --client billing --secret-file " + filepath.Join(dir, "secret")
	for _, args := range []string{
		"token --issuer " + untrusted.URL + with,
		"call --issuer " + untrusted.URL + with + " https://localhost:1/",
		"call --token-url " + issuer.URL + "/token" + with + " " + untrusted.URL + "/orders",
	} {
		code, out, errs := runIn(t, "", strings.Fields(args)...)
		if code != 1 || out != "" || !strings.Contains(errs, "SSL_CERT_FILE=ca.pem\n") {
			t.Errorf("%s: %d %s%s", args, code, out, errs)
		}
	}
}
