package keys

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// TestFeedKeyFollowsFromTheMasterKey and the issuer, and from nothing else: two
// nodes of one server sign with the same key, two issuers or servers do not.
func TestFeedKeyFollowsFromTheMasterKey(t *testing.T) {
	const iss = "https://auth.example.com"
	dir := t.TempDir()
	here := load(t, MasterConfig{Dir: dir, MayCreate: true})
	again := load(t, MasterConfig{Dir: dir})
	seen := map[string]string{here.Feed(iss).Key().Thumbprint(): "here"}
	if _, ok := seen[NewRing(again).Feed(iss).Key().Thumbprint()]; !ok {
		t.Error("another node of the server signs with another key")
	}
	for what, f := range map[string]*Feed{
		"another issuer": here.Feed(iss + "/partners"), "another server": NewMaster().Feed(iss), "no issuer": here.Feed(""),
	} {
		if other := seen[f.Key().Thumbprint()]; other != "" {
			t.Errorf("%s has the key of %s", what, other)
		}
		seen[f.Key().Thumbprint()] = what
	}
	for _, label := range []string{"seal: " + LabelSigningKey, "dpop nonce", "master key id"} {
		if string(here.derive(label, 32)) == string(here.Feed(iss).private.Seed()) {
			t.Errorf("it is the key of %q too", label)
		}
	}
}

// TestFeedSignsWhatOthersVerify: the text is a JWS of its own typ, also where it
// is longer than a token may be, and a changed one is refused.
func TestFeedSignsWhatOthersVerify(t *testing.T) {
	f := NewMaster().Feed("https://auth.example.com")
	text := string(f.Sign([]byte(`{"iss":"x"}`)))
	token, err := jose.Parse(text)
	if err != nil || token.Verify(f.Key()) != nil || string(token.Payload) != `{"iss":"x"}` {
		t.Fatalf("%v %s", err, text)
	}
	if h := token.Header; h.Algorithm != jose.EdDSA || h.KeyID != f.Key().ID || h.Type != symbolon.TypRevocations {
		t.Errorf("header %+v", h)
	}
	if err := token.Verify(NewMaster().Feed("https://auth.example.com").Key()); err == nil {
		t.Error("another server's key verifies it")
	}
	long := string(f.Sign(make([]byte, 1<<20)))
	signed, signature, _ := strings.Cut(long[strings.IndexByte(long, '.')+1:], ".")
	raw, err := jose.DecodeSegment(signature)
	if err != nil || len(signed) <= jose.MaxToken {
		t.Fatal(err, len(signed))
	}
	message := long[:strings.LastIndexByte(long, '.')]
	if err := f.Key().Verify(jose.EdDSA, []byte(message), raw); err != nil {
		t.Error(err)
	}
	if err := f.Key().Verify(jose.EdDSA, []byte(message[:len(message)-4]), raw); err == nil {
		t.Error("a cut text is verified")
	}
}

func TestFeedPrintsAsItsKeysID(t *testing.T) {
	f := NewMaster().Feed("https://auth.example.com")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "feed", f)
	for _, out := range []string{fmt.Sprintf("%v %+v %#v %s", f, f, f, f), log.String()} {
		for _, secret := range []string{fmt.Sprint([]byte(f.private))[1:30], jose.EncodeSegment(f.private.Seed()), string(f.private[:ed25519.SeedSize])} {
			if strings.Contains(out, secret) || !strings.Contains(out, f.Key().ID) {
				t.Errorf("printed as %s", out)
			}
		}
	}
}
