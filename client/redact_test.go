package client

import (
	"bytes"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/jose"
)

// TestNothingPrintsAKey: nor an assertion, nor a proof, by any verb, logger or
// encoder, and no error that comes of a refusal. An Ed25519 key is the worst: it
// is bytes, which fmt prints wherever it finds them.
func TestNothingPrintsAKey(t *testing.T) {
	key := testKeys()[jose.EdDSA].(ed25519.PrivateKey)
	seed := key.Seed()
	var out strings.Builder
	logger := slog.New(slog.NewJSONHandler(&out, nil))
	plain := slog.New(slog.NewTextHandler(&out, nil))
	s := newAuthServer(t)
	var sent []string
	s.answer(func(w http.ResponseWriter, r *request) {
		sent = append(sent, r.PostFormValue("client_assertion"), r.Header.Get("DPoP"))
		refuse(w, http.StatusUnauthorized, "invalid_client")
	})
	certificate := Certificate(selfSigned(t, key, "billing", tomorrow()))
	file := PrivateKeyFile(write(t, "", pkcs8(t, key)), "")
	cfg := s.config()
	cfg.Auth, cfg.DPoP, cfg.Logger = PrivateKeyJWT(key, "k1"), key, logger
	c := newClient(t, cfg)
	_, err := c.Token(t.Context())
	if err == nil || len(sent) != 2 || sent[0] == "" || sent[1] == "" {
		t.Fatal(err, sent)
	}
	c.Close()
	type wrapping struct {
		Public  any
		private any
	}
	for _, v := range []any{cfg.Auth, file, certificate, c, c.prover, err, &exchange{}} {
		for _, w := range []any{v, wrapping{v, v}, &wrapping{v, v}, []any{v}, struct{ c Config }{Config{Auth: cfg.Auth, TLS: certificate}}} {
			printAll(&out, w, logger, plain)
		}
	}
	// A Config is the program's: where fmt cannot call its methods, in a field that
	// is not exported, it prints what the program put there.
	for _, v := range []any{cfg, &cfg, []Config{cfg}, wrapping{Public: cfg}, wrapping{Public: &cfg}} {
		printAll(&out, v, logger, plain)
	}
	text := out.String()
	secrets := map[string]string{
		"hex": hex.EncodeToString(seed), "HEX": strings.ToUpper(hex.EncodeToString(seed)), "base64": base64.RawStdEncoding.EncodeToString(seed)[:40],
		"numbers": strings.Trim(fmt.Sprint(seed), "[]"), "go": strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", seed), "[]byte{"), "}"), "raw": string(seed),
		"assertion": sent[0][strings.LastIndexByte(sent[0], '.'):], "proof": sent[1][strings.LastIndexByte(sent[1], '.'):],
	}
	for form, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("printed as %s", form)
		}
	}
	if !bytes.Contains([]byte(text), []byte("client.Config(billing at ")) || !strings.Contains(text, "client.PrivateKeyJWT([redacted])") {
		t.Error("nothing was printed")
	}
	// Against a change of what fmt does: the key itself would be found.
	var naked strings.Builder
	printAll(&naked, struct{ c tls.Certificate }{tls.Certificate{PrivateKey: key}}, logger, plain)
	if !strings.Contains(naked.String(), secrets["numbers"]) {
		t.Error("the test does not see a key that is printed")
	}
}

func printAll(out *strings.Builder, v any, loggers ...*slog.Logger) {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(out, verb+"\n", v)
	}
	for _, l := range loggers {
		l.Info("x", "v", v)
	}
	if b, err := json.Marshal(v); err == nil {
		out.Write(b)
	}
}
