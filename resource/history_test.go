package resource

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// What broke other implementations, tried on a whole API. The tests are named
// after what happened to whom.

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// forge joins a header, a payload and a signature by sig over both.
func forge(header string, payload []byte, sig func(signed []byte) []byte) string {
	signed := b64([]byte(header)) + "." + b64(payload)
	return signed + "." + b64(sig([]byte(signed)))
}

// refuses fails the test when the token is let in, or refused as anything but
// invalid_token.
func refuses(t *testing.T, a *API, token string) error {
	t.Helper()
	_, err := check(a, token)
	if !errors.Is(err, symbolon.NewError(symbolon.InvalidToken, "")) {
		t.Errorf("%v", err)
	}
	return err
}

// protected is an issuer with keys of two kinds, and an API with a cache.
func protected(t *testing.T) (*issuer, *API) {
	i := newIssuer(t)
	i.publish(signer(t, jose.ES256, "k1", symbolon.TypAccessToken), signer(t, jose.RS256, "rsa", symbolon.TypAccessToken))
	cfg := i.config()
	cfg.TokenCache = 100
	a := newAPI(t, cfg)
	if _, err := check(a, i.token(t, nil)); err != nil {
		t.Fatal(err)
	}
	return i, a
}

// TestCVE_2015_9235_PublicKeyAsSecret, also CVE-2016-10555, CVE-2022-29217,
// CVE-2024-33663, CVE-2024-37568: the public key, in any encoding, as the
// secret of an HMAC.
func TestCVE_2015_9235_PublicKeyAsSecret(t *testing.T) {
	i, a := protected(t)
	payload := i.claims(time.Now()).AppendJSON(nil)
	for _, s := range i.signers {
		k := s.Key()
		pem := k.PEM()
		for _, secret := range [][]byte{pem, bytes.TrimSpace(pem), k.JSON(), i.set(), []byte(k.ID), {}} {
			for _, alg := range []string{"HS256", "HS384", "HS512", "hs256", "RS256", "ES256"} {
				header := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"at+jwt"}`, alg, k.ID)
				refuses(t, a, forge(header, payload, func(signed []byte) []byte {
					m := hmac.New(sha256.New, secret)
					m.Write(signed)
					return m.Sum(nil)
				}))
			}
		}
	}
}

// TestCVE_2026_22817_HeaderDecidesWhereTheKeyIsSilent, also -22818: a JWK
// without alg.
func TestCVE_2026_22817_HeaderDecidesWhereTheKeyIsSilent(t *testing.T) {
	i, _ := protected(t)
	withoutAlg := func(k *jose.Key) string {
		var m map[string]any
		if err := json.Unmarshal(k.JSON(), &m); err != nil {
			t.Fatal(err)
		}
		delete(m, "alg")
		b, _ := json.Marshal(m)
		return string(b)
	}
	set := `{"keys":[` + withoutAlg(i.signers[0].Key()) + `,` + withoutAlg(i.signers[1].Key()) + `]}`
	i.serveKeys(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, set) })
	a := newAPI(t, i.config())
	payload := i.claims(time.Now()).AppendJSON(nil)
	for _, alg := range []string{"HS256", "none", "ES384", "EdDSA", "RS256", "PS256"} {
		header := fmt.Sprintf(`{"alg":%q,"kid":"k1","typ":"at+jwt"}`, alg)
		refuses(t, a, forge(header, payload, func(signed []byte) []byte {
			m := hmac.New(sha256.New, []byte(set))
			m.Write(signed)
			return m.Sum(nil)
		}))
	}
	if _, err := check(a, i.token(t, nil)); err != nil {
		t.Error(err)
	}
}

// TestAlgNone: Auth0 2015 and 2020 ("nonE"), CVE-2021-22160 Pulsar.
func TestAlgNone(t *testing.T) {
	i, a := protected(t)
	payload := i.claims(time.Now()).AppendJSON(nil)
	good := i.token(t, nil)
	for _, alg := range []string{`"none"`, `"None"`, `"nonE"`, `"NONE"`, `""`, `null`, `0`, `["none"]`, `"none\u0000"`} {
		for _, header := range []string{`{"alg":` + alg + `,"typ":"at+jwt"}`, `{"alg":` + alg + `,"kid":"k1","typ":"at+jwt"}`} {
			for _, sig := range [][]byte{nil, {0}, []byte("x")} {
				refuses(t, a, forge(header, payload, func([]byte) []byte { return sig }))
			}
		}
	}
	refuses(t, a, good[:strings.LastIndexByte(good, '.')+1]) // no signature
	refuses(t, a, good[:strings.LastIndexByte(good, '.')])   // no part for it
}

// TestGHSA_5739_39v2_5754_UnprotectedHeader: only the compact form exists.
func TestGHSA_5739_39v2_5754_UnprotectedHeader(t *testing.T) {
	i, a := protected(t)
	parts := strings.Split(i.token(t, nil), ".")
	for _, s := range []string{
		fmt.Sprintf(`{"payload":%q,"protected":%q,"header":{"alg":"none"},"signature":%q}`, parts[1], parts[0], parts[2]),
		fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, parts[1], parts[0], parts[2]),
	} {
		for _, token := range []string{strings.ReplaceAll(s, " ", ""), b64([]byte(s))} {
			if _, err := check(a, token); err == nil {
				t.Error("the JSON serialization was let in")
			}
		}
	}
}

// TestCVE_2018_0114_EmbeddedKey, and the jku and x5u class: keys come from the
// issuer alone, and no token makes the API fetch anything.
func TestCVE_2018_0114_EmbeddedKey(t *testing.T) {
	i, a := protected(t)
	var asked atomic.Int64
	evil := newIssuer(t)
	evil.serveKeys(func(w http.ResponseWriter, r *http.Request) { asked.Add(1) })
	own := freshSigner(t, "evil")
	key, ok := keysOf()[jose.ES256].(*ecdsa.PrivateKey)
	if !ok {
		t.Fatal("no key")
	}
	good := forgeSigner(t, key)
	payload := i.claims(time.Now()).AppendJSON(nil)
	before := i.keyRequests.Load()
	for _, extra := range []string{
		`"jwk":` + string(own.Key().JSON()), `"jku":"` + evil.url + `/jwks"`, `"x5u":"` + evil.url + `/jwks"`, `"x5c":["AAAA"]`,
	} {
		for _, kid := range []string{"k1", "evil"} {
			header := fmt.Sprintf(`{"alg":"ES256","kid":%q,"typ":"at+jwt",%s}`, kid, extra)
			// Also with the issuer's own signature: such a header is not understood here.
			refuses(t, a, forge(header, payload, good))
		}
	}
	if asked.Load() != 0 || i.keyRequests.Load() != before {
		t.Error("a token made the API ask somebody")
	}
}

// forgeSigner signs what jose.Signer would not.
func forgeSigner(t *testing.T, key *ecdsa.PrivateKey) func([]byte) []byte {
	return func(signed []byte) []byte {
		sum := sha256.Sum256(signed)
		r, s, err := ecdsa.Sign(nil, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
}

// TestKidInjection, also CVE-2025-65945: a kid is a name to compare and
// nothing else, and does not reach the log as it is.
func TestKidInjection(t *testing.T) {
	i, _ := protected(t)
	var log bytes.Buffer
	cfg := i.config()
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.DataDir = t.TempDir()
	a := newAPI(t, cfg)
	payload := i.claims(time.Now()).AppendJSON(nil)
	for _, kid := range []string{"", "../../dev/null", "/dev/null", "|sleep 10", "| curl", "x' UNION SELECT '1';--", "k1\x00", "K1", "k1 ", "http://evil.example/", "a\nlevel=ERROR", strings.Repeat("k", 8000)} {
		header, _ := json.Marshal(map[string]string{"alg": "ES256", "kid": kid, "typ": "at+jwt"})
		for _, secret := range []string{"", "1"} {
			refuses(t, a, forge(string(header), payload, func(signed []byte) []byte {
				m := hmac.New(sha256.New, []byte(secret))
				m.Write(signed)
				return append(m.Sum(nil), m.Sum(nil)...)
			}))
		}
	}
	a.Close()
	if strings.Contains(log.String(), "UNION") || strings.Contains(log.String(), "\nlevel=ERROR") {
		t.Error(log.String())
	}
}

// TestCVE_2022_21449_PsychicSignatures: r = s = 0 and their kin.
func TestCVE_2022_21449_PsychicSignatures(t *testing.T) {
	i, a := protected(t)
	payload := i.claims(time.Now()).AppendJSON(nil)
	order := keysOf()[jose.ES256].(*ecdsa.PrivateKey).Params().N.Bytes()
	zero, one := make([]byte, 32), append(make([]byte, 31), 1)
	for _, r := range [][]byte{zero, one, order} {
		for _, s := range [][]byte{zero, one, order} {
			refuses(t, a, forge(`{"alg":"ES256","kid":"k1","typ":"at+jwt"}`, payload, func([]byte) []byte { return append(bytes.Clone(r), s...) }))
		}
	}
	refuses(t, a, forge(`{"alg":"RS256","kid":"rsa","typ":"at+jwt"}`, payload, func([]byte) []byte { return make([]byte, 256) }))
}

// TestCVE_2025_59420_UnknownCrit: also under a good signature.
func TestCVE_2025_59420_UnknownCrit(t *testing.T) {
	i, a := protected(t)
	payload := i.claims(time.Now()).AppendJSON(nil)
	good := forgeSigner(t, keysOf()[jose.ES256].(*ecdsa.PrivateKey))
	for _, extra := range []string{`"crit":["x"],"x":1`, `"crit":[]`, `"crit":["exp"]`, `"crit":["b64"],"b64":false`, `"b64":true`, `"crit":null`} {
		refuses(t, a, forge(`{"alg":"ES256","kid":"k1","typ":"at+jwt",`+extra+`}`, payload, good))
	}
	if _, err := check(a, forge(`{"alg":"ES256","kid":"k1","typ":"at+jwt","x":1}`, payload, good)); err != nil {
		t.Errorf("RFC 7515 §4: a parameter that is not understood is ignored: %v", err)
	}
}

// TestEncryptedTokens: CVE-2023-49290 and CVE-2023-52428 (PBES2 p2c),
// CVE-2024-28180 and CVE-2024-28122 (zip bombs), CVE-2026-34986 (a panic):
// there is no JWE here, and no compression.
func TestEncryptedTokens(t *testing.T) {
	i, a := protected(t)
	payload := i.claims(time.Now()).AppendJSON(nil)
	good := forgeSigner(t, keysOf()[jose.ES256].(*ecdsa.PrivateKey))
	for _, header := range []string{`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA"}`, `{"alg":"dir","enc":"A128GCM","zip":"DEF"}`, `{"alg":"A128KW","enc":"A128GCM"}`} {
		for _, rest := range []string{"....", ".AA.AA.AA.AA", "..AA.AA.AA"} {
			refuses(t, a, b64([]byte(header))+rest)
		}
	}
	refuses(t, a, forge(`{"alg":"ES256","kid":"k1","typ":"at+jwt","zip":"DEF"}`, payload, good))
}

// TestCVE_2025_30204_MillionsOfDots, also CVE-2025-27144, CVE-2025-61920,
// CVE-2025-53864: what is too long, too deep or too many costs next to nothing.
func TestCVE_2025_30204_MillionsOfDots(t *testing.T) {
	i, a := protected(t)
	good := forgeSigner(t, keysOf()[jose.ES256].(*ecdsa.PrivateKey))
	deep := strings.Repeat("[", 4000) + strings.Repeat("]", 4000)
	huge := strings.Repeat(".", 10<<20)
	for name, token := range map[string]string{
		"dots":            huge,
		"long header":     b64(bytes.Repeat([]byte("x"), 10<<20)) + ".e30.AA",
		"deep header":     forge(`{"alg":"ES256","kid":"k1","typ":"at+jwt","x":`+deep+`}`, []byte("{}"), good),
		"deep payload":    forge(`{"alg":"ES256","kid":"k1","typ":"at+jwt"}`, []byte(`{"x":`+deep+`}`), good),
		"over the length": sign(t, i.signers[0], []byte(`{}`)) + strings.Repeat("A", symbolon.MaxToken),
	} {
		if n := testing.AllocsPerRun(1, func() { refuses(t, a, token) }); n > 50 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestCVE_2024_51744_ExpiredAndForged: a forged token is called forged, never
// only expired.
func TestCVE_2024_51744_ExpiredAndForged(t *testing.T) {
	i, a := protected(t)
	expired := i.claims(time.Now())
	expired.Expiry = 1
	if err := refuses(t, a, sign(t, freshSigner(t, "k1"), expired.AppendJSON(nil))); !sameError(err, errSignature) {
		t.Error(err)
	}
}

// TestCVE_2020_26160_AudienceArray: what is no string or array of strings, or
// only holds the audience somewhere, is not for this API.
func TestCVE_2020_26160_AudienceArray(t *testing.T) {
	i, a := protected(t)
	q := `"` + audience + `"`
	for _, aud := range []string{`[]`, `[[` + q + `]]`, `{"0":` + q + `}`, `[""]`, `""`, `null`, `0`, `true`, `[null,` + q + `]`, `[1]`, `"x ` + audience + `"`, `"` + audience + `,x"`, `["` + audience + `/"]`} {
		refuses(t, a, i.raw(t, map[string]string{"aud": aud}))
	}
}

// TestCVE_2025_30144_IssuerArray, also CVE-2024-53861 (a part of the name).
func TestCVE_2025_30144_IssuerArray(t *testing.T) {
	i, a := protected(t)
	for _, iss := range []string{`["` + i.url + `","https://evil.example"]`, `["` + i.url + `"]`, `"` + i.url[:10] + `"`, `"` + i.url + ` "`, `{}`, `null`} {
		refuses(t, a, i.raw(t, map[string]string{"iss": iss}))
	}
}

// TestCVE_2024_49755_BoundTokenUnderBearer: a token that is bound to a key is
// not taken from whoever brings it, remembered or not, and a binding that is not
// understood is no reason to skip it.
func TestCVE_2024_49755_BoundTokenUnderBearer(t *testing.T) {
	i, a := protected(t)
	for cnf, want := range map[string]*symbolon.Error{
		`{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`:      errDowngrade,
		`{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}`: errNoCertificate,
		`{"jkt":"a","x5t#S256":"b"}`:                                 errDowngrade,
	} {
		token := i.raw(t, map[string]string{"cnf": cnf})
		for range 3 {
			if err := refuses(t, a, token); !sameError(err, want) {
				t.Errorf("%s: %v", cnf, err)
			}
		}
	}
	for _, cnf := range []string{`{}`, `null`, `"x"`, `{"kid":"a"}`, `{"jwk":{}}`, `{"JKT":"a"}`, `[]`, `{"jkt":1}`, `{"jkt":""}`, `{"jkt":null}`, `{"jkt":"a","jwk":{}}`, `{"x5t#S256":"","jkt":"a"}`} {
		if err := refuses(t, a, i.raw(t, map[string]string{"cnf": cnf})); !sameError(err, errMalformed) {
			t.Errorf("%s: %v", cnf, err)
		}
	}
}

// TestCVE_2026_47673_AnyScheme: a token that is bound to nothing
// counts under Bearer alone.
func TestCVE_2026_47673_AnyScheme(t *testing.T) {
	i, a := protected(t)
	token := i.token(t, nil)
	for _, header := range []string{"Token " + token, "JWT " + token, "DPoP " + token, "Bearer:" + token, "Basic " + token, token, "Bearer\t" + token, " " + token} {
		if _, err := a.Check(t.Context(), Request{Authorization: []string{header}}); err == nil {
			t.Errorf("%.10q: let in", header)
		}
	}
}

// TestDuplicateMembers: two parsers could read two tokens.
func TestDuplicateMembers(t *testing.T) {
	i, a := protected(t)
	good := forgeSigner(t, keysOf()[jose.ES256].(*ecdsa.PrivateKey))
	payload := string(i.claims(time.Now()).AppendJSON(nil))
	for header, payload := range map[string]string{
		`{"alg":"ES256","alg":"ES256","kid":"k1","typ":"at+jwt"}`:       payload,
		`{"alg":"ES256","kid":"k1","kid":"k1","typ":"at+jwt"}`:          payload,
		`{"alg":"ES256","kid":"k1","typ":"at+jwt","\u0074yp":"at+jwt"}`: payload,
		`{"alg":"ES256","kid":"k1","typ":"at+jwt","a":1}`:               payload[:len(payload)-1] + `,"scope":"admin"}`,
		`{"alg":"ES256","kid":"k1","typ":"at+jwt","b":1}`:               payload[:len(payload)-1] + `,"\u0065xp":9999999999}`,
		`{"alg":"ES256","kid":"k1","typ":"at+jwt","c":1}`:               payload[:len(payload)-1] + `,"x":{"a":1,"a":2}}`,
		`{"alg":"ES256","kid":"k1","typ":"at+jwt","d":1}`:               payload + payload,
	} {
		refuses(t, a, forge(header, []byte(payload), good))
	}
}

// TestRespeltTokens (class of CVE-2026-27840): other spellings of a good token
// are not the token, also when the good one is remembered.
func TestRespeltTokens(t *testing.T) {
	i, a := protected(t)
	token := i.token(t, nil)
	for range 2 {
		if _, err := check(a, token); err != nil {
			t.Fatal(err)
		}
	}
	last := token[len(token)-1]
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if byte(c) != last {
			refuses(t, a, token[:len(token)-1]+string(c)) // loose trailing bits
		}
	}
	for _, s := range []string{token + "=", token + "\n", token[:50] + "\n" + token[50:], token[:50] + "\r" + token[50:], token + "%", "." + token, token + ".", token[1:], token[:len(token)-2], strings.ReplaceAll(token, "-", "+") + "+"} {
		if _, err := check(a, s); err == nil {
			t.Errorf("%q was let in", s)
		}
	}
}
