package keys

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

const issuerURL = "https://auth.example.com"

func sealToken(t testing.TB, r *Ring, iss, claims string) string {
	t.Helper()
	text, err := r.SealToken(iss, []byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestOpaqueTokenHasOneText (CVE-2026-27840): a token with any one octet changed,
// left out or added, anywhere, is none.
func TestOpaqueTokenHasOneText(t *testing.T) {
	r := NewRing(NewMaster())
	// Lengths with no, two and four bits to spare in the last character.
	for _, claims := range []string{`{"jti":"1"}`, `{"jti":"12"}`, `{"jti":"123"}`} {
		text := sealToken(t, r, issuerURL, claims)
		if got, err := r.OpenToken(issuerURL, text); err != nil || string(got) != claims {
			t.Fatalf("%q, %v", got, err)
		}
		none := func(what, text string) {
			t.Helper()
			if got, err := r.OpenToken(issuerURL, text); !errors.Is(err, ErrSealed) && !errors.Is(err, ErrOtherMaster) {
				t.Errorf("%s: %q opens as %q, %v", what, text, got, err)
			}
		}
		for i := range len(text) {
			for c := range 256 {
				if byte(c) != text[i] {
					none("changed", text[:i]+string([]byte{byte(c)})+text[i+1:])
				}
			}
			none("left out", text[:i]+text[i+1:])
			none("cut", text[:i])
			none("the end", text[i+1:])
		}
		for i := range len(text) + 1 {
			for _, c := range "A=. \n\r-_~\x00" {
				none("added", text[:i]+string(c)+text[i:])
			}
		}
		sealed, err := jose.DecodeSegment(text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range sealed {
			for bit := range 8 {
				other := bytes.Clone(sealed)
				other[i] ^= 1 << bit
				none("a bit", jose.EncodeSegment(other))
			}
			none("octets cut", jose.EncodeSegment(sealed[:i]))
		}
		none("octets added", jose.EncodeSegment(append(bytes.Clone(sealed), 0)))
		none("twice", text+text)
	}
}

// TestOpaqueTokenIsOfOneIssuerAndPurpose: what was sealed elsewhere, for something
// else or under another key opens nowhere else, and no error repeats any of it.
func TestOpaqueTokenIsOfOneIssuerAndPurpose(t *testing.T) {
	m := NewMaster()
	r, other := NewRing(m), NewRing(NewMaster())
	claims := []byte(`{"jti":"1"}`)
	text := sealToken(t, r, issuerURL, string(claims))
	for name, c := range map[string]struct {
		ring      *Ring
		iss, text string
		want      error
	}{
		"another issuer":       {r, issuerURL + "/partners", text, ErrSealed},
		"a longer issuer":      {r, issuerURL + "\n", text, ErrSealed},
		"another master key":   {other, issuerURL, text, ErrOtherMaster},
		"another label":        {r, issuerURL, jose.EncodeSegment(m.Seal(LabelSigningKey, opaquePlace(issuerURL), claims)), ErrSealed},
		"another purpose":      {r, issuerURL, jose.EncodeSegment(m.Seal(LabelOpaqueToken, []byte("page\n"+issuerURL), claims)), ErrSealed},
		"no purpose":           {r, issuerURL, jose.EncodeSegment(m.Seal(LabelOpaqueToken, []byte(issuerURL), claims)), ErrSealed},
		"nothing":              {r, issuerURL, "", ErrSealed},
		"longer than any":      {r, issuerURL, strings.Repeat("A", symbolon.MaxToken+4), ErrSealed},
		"a signed token":       {r, issuerURL, "eyJhbGciOiJFUzI1NiJ9.e30.AA", ErrSealed},
		"base64url, no token":  {r, issuerURL, strings.Repeat("A", 100), ErrSealed},
		"the standard's base":  {r, issuerURL, strings.Repeat("+", 100), ErrSealed},
		"an issuer's own text": {r, issuerURL, issuerURL, ErrSealed},
	} {
		got, err := c.ring.OpenToken(c.iss, c.text)
		if got != nil || err != c.want {
			t.Errorf("%s: %q, %v, want %v", name, got, err, c.want)
		}
	}
}

// TestOpaqueTokensTellNothing: two tokens of the same claims have nothing in
// common but the key's id, and hold none of the claims in the clear.
func TestOpaqueTokensTellNothing(t *testing.T) {
	r := NewRing(NewMaster())
	claims := `{"client_id":"billing"}`
	a, _ := jose.DecodeSegment(sealToken(t, r, issuerURL, claims))
	b, _ := jose.DecodeSegment(sealToken(t, r, issuerURL, claims))
	if id, ok := SealedBy(a); !ok || id != r.TokenKey() {
		t.Errorf("sealed by %q", id)
	}
	if bytes.Equal(a[sealHead:sealHead+xaesNonceSize], b[sealHead:sealHead+xaesNonceSize]) || bytes.Contains(a, []byte("billing")) {
		t.Error("tokens tell what they hold")
	}
}

// TestOpaqueTokenHasABound: what no program would take back is not made.
func TestOpaqueTokenHasABound(t *testing.T) {
	r := NewRing(NewMaster())
	most := symbolon.MaxToken/4*3 - sealMinimum
	if text := sealToken(t, r, issuerURL, strings.Repeat(" ", most)); len(text) != symbolon.MaxToken {
		t.Errorf("%d characters", len(text))
	}
	if text, err := r.SealToken(issuerURL, make([]byte, most+1)); text != "" || err != jose.ErrTooLong {
		t.Errorf("%d characters, %v", len(text), err)
	}
}

// TestVerifier: the public half is that of the document, also of one that has
// changed, and of a revoked key there is none.
func TestVerifier(t *testing.T) {
	m := NewMaster()
	r := NewRing(m)
	now := time.Unix(1_800_000_000, 0)
	k, err := New(m, "default", jose.ES256, now)
	if err != nil {
		t.Fatal(err)
	}
	first, err := r.Verifier(k)
	if err != nil || first.ID != k.ID {
		t.Fatalf("%v, %v", first, err)
	}
	if again, _ := r.Verifier(k); again != first {
		t.Error("read again")
	}
	other, err := New(m, "default", jose.ES256, now)
	if err != nil {
		t.Fatal(err)
	}
	swapped := *k
	swapped.Public = other.Public
	if v, err := r.Verifier(&swapped); !errors.Is(err, ErrKey) {
		t.Errorf("the public half of another key: %v, %v", v, err)
	}
	r.Keep(func(string) bool { return false })
	if _, ok := r.verifiers.Load(k.ID); ok {
		t.Error("kept for ever")
	}
	k.Revoked = now
	if v, err := r.Verifier(k); v != nil || !errors.Is(err, ErrKey) {
		t.Errorf("revoked: %v, %v", v, err)
	}
}
