package dpop

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// FuzzCheck signs whatever header and claims the fuzzer wants: no signature stands between it
// and the checks. What is accepted must be what encoding/json reads as a good proof.
func FuzzCheck(f *testing.F) {
	f.Add(testHeader, testClaims)
	f.Add(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"d":"AQ"}}`, `{"iat":-1e400}`)
	f.Add(`{"jwk":JWK,"alg":"ES256","typ":"dpop\u002bjwt","x":[]}`, `{"jti":"\ud83d\ude00","htm":"POST","htu":"https://api.example.com/%6frders","iat":1.8e9,"ath":"ATH","exp":1800000001.5}`)
	f.Add(`{}`, `{}`)
	f.Fuzz(func(t *testing.T, header, claims string) {
		p, err := Check([]string{forge(header, claims)}, expected())
		if err != nil {
			refusal, ok := errors.AsType[*symbolon.Error](err)
			if p != nil || !ok || refusal.Code != symbolon.InvalidDPoPProof || refusal.Description == "" {
				t.Fatalf("%v, %v", p, err)
			}
			return
		}
		text := forge(header, claims)
		token := must(jose.ParseProof(text))
		var c struct {
			JTI, HTM, HTU, ATH, Nonce string
			IAT                       float64
			EXP, NBF                  *float64
		}
		if err := unmarshalExactly(token.Payload, &c); err != nil {
			t.Fatalf("%s: %v", claims, err)
		}
		now := float64(testNow.Unix())
		if c.JTI == "" || len(c.JTI) > maxID || c.HTM != "POST" || must(NormalizeURL(c.HTU)) != testURL || c.ATH != tokenHash(testToken) ||
			!(now-60 <= c.IAT && c.IAT <= now+30) || c.EXP != nil && !(*c.EXP > now) || c.NBF != nil && *c.NBF > now+30 {
			t.Fatalf("%s was accepted as %+v", claims, c)
		}
		if p.ID != c.JTI || p.Nonce != c.Nonce || p.HTU != testURL || token.Header.Type != "dpop+jwt" {
			t.Fatalf("%s was read as %+v", claims, p)
		}
	})
}

// unmarshalExactly is json.Unmarshal for the claims of a proof, in exactly that case.
func unmarshalExactly(data []byte, into any) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	for name := range all {
		if !slices.Contains([]string{"jti", "htm", "htu", "ath", "nonce", "iat", "exp", "nbf"}, name) {
			delete(all, name)
		}
	}
	return json.Unmarshal(must(json.Marshal(all)), into)
}

// FuzzCheckText: any text at all is refused by a sentence, or is one of the good proofs.
func FuzzCheckText(f *testing.F) {
	good := forge(testHeader, testClaims)
	f.Add(good)
	for _, text := range []string{"", ".", "..", good + ".", good[1:], rfc9449TokenProof, rfc9449APIProof} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Check([]string{text}, expected())
		if _, ok := errors.AsType[*symbolon.Error](err); err != nil && !ok {
			t.Fatal(err)
		}
		if err == nil && text != good {
			t.Fatalf("%q was accepted", text)
		}
	})
}
