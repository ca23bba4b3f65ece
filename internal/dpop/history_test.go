package dpop

import (
	"crypto"
	"encoding/json"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/jose"
)

// One test for each thing that happened to another implementation and that could happen in
// this package.

// TestPrivateKeyInProof: CVE-2026-54431, a proof whose jwk is the private key.
func TestPrivateKeyInProof(t *testing.T) {
	d := jose.EncodeSegment(must(p256Key().Bytes()))
	private := strings.Replace(publicJWK(), "{", `{"d":"`+d+`",`, 1)
	refusedWith(t, "EC", []string{forge(strings.Replace(testHeader, "JWK", private, 1), testClaims)}, expected(), errPrivateKey)
	for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
		jwk := strings.Replace(publicJWK(), "{", `{"`+member+`":"AQ",`, 1)
		refusedWith(t, member, []string{forge(strings.Replace(testHeader, "JWK", jwk, 1), testClaims)}, expected(), errPrivateKey)
	}
	oth := strings.Replace(publicJWK(), "{", `{"oth":[],`, 1)
	refusedWith(t, "oth", []string{forge(strings.Replace(testHeader, "JWK", oth, 1), testClaims)}, expected(), errPrivateKey)
	// What a Prover writes has no private member of any kind of key.
	for _, key := range []crypto.Signer{p256Key(), p384Key(), rsaKey(), edKey()} {
		head, _, _ := strings.Cut(proofOf(t, key, testRequest()), ".")
		text := string(must(jose.DecodeSegment(head)))
		for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if strings.Contains(text, `"`+member+`":`) {
				t.Errorf("%T: %s is in %s", key, member, text)
			}
		}
	}
}

// TestReplayKeyOfRespeltURL: a proof is the same one whatever the spelling of its htu. Here
// it is its owner who respells it, which is all that anybody can do.
func TestReplayKeyOfRespeltURL(t *testing.T) {
	first := must(Check([]string{forge(testHeader, testClaims)}, expected()))
	for _, htu := range []string{
		"HTTPS://api.example.com/orders", "https://API.example.com/orders", "https://api.example.com:443/orders",
		"https://api.example.com:/orders", "https://api.example.com/x/../orders", "https://api.example.com/%6frders",
		"https://api.example.com/orders?", "https://api.example.com/orders?x=1", "https://api.example.com/orders#x",
	} {
		p, err := Check([]string{forge(testHeader, change(t, testClaims, testURL, htu))}, expected())
		if err != nil {
			t.Errorf("%s: %v", htu, err)
		} else if p.ReplayKey != first.ReplayKey {
			t.Errorf("%s: another replay key", htu)
		}
	}
}

// TestIssuedAtOverflow: numbers that overflow somebody's arithmetic are refused, and
// none of them panics.
func TestIssuedAtOverflow(t *testing.T) {
	for _, number := range []string{
		"-1", "-0.5", "-9223372036854775808", "-9223372036854775809", "9223372036854775807", "9223372036854775808",
		"18446744073709551615", "253402300800", "1e19", "-1e19", "1e308", "-1e308", "1e400", "-1e400",
		"1" + strings.Repeat("0", 1000), "-1" + strings.Repeat("0", 1000), "1e" + strings.Repeat("9", 1000),
		"-Infinity", "Infinity", "NaN", "0x7fffffff", "1_800_000_000", "+1800000000", "01800000000", "1800000000.", ".5",
	} {
		for _, claim := range []string{"iat", "exp", "nbf"} {
			body := change(t, testClaims, `"iat":1800000000`, `"iat":1800000000,"exp":1800000300,"nbf":1800000000`)
			value := map[string]string{"iat": "1800000000", "exp": "1800000300", "nbf": "1800000000"}[claim]
			body = change(t, body, `"`+claim+`":`+value, `"`+claim+`":`+number)
			want := errIssuedAt
			if !json.Valid([]byte(number)) {
				want = errClaims
			}
			refusedWith(t, claim+" "+number[:min(len(number), 30)], []string{forge(testHeader, body)}, expected(), want)
		}
	}
	for _, number := range []string{"0", "-0", "1e-400", "0.5"} {
		body := change(t, testClaims, `1800000000`, number)
		refusedWith(t, "iat "+number, []string{forge(testHeader, body)}, expected(), errOld)
	}
	refusedWith(t, "the end of 9999", []string{forge(testHeader, change(t, testClaims, `1800000000`, "253402300799"))}, expected(), errAhead)
}
