package jose

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// playbook holds a good token and what jwt_tool's scan makes of such tokens. Each attack is
// followed by the good token: it still works (the tool's "persistence check").
type playbook struct {
	t    *testing.T
	alg  Algorithm
	key  *Key
	good string
}

func newPlaybook(t *testing.T, alg Algorithm) *playbook {
	s := must(NewSigner(testKeyFor(alg), alg, "k1", "at+jwt"))
	return &playbook{t: t, alg: alg, key: s.Key(), good: must(s.Sign(benchPayload))}
}

// refuse fails when an attack is accepted, or a good token is not after it.
func (p *playbook) refuse(name, attack string) {
	p.t.Helper()
	if token, err := Parse(attack); err == nil {
		if err = token.Verify(p.key); err == nil {
			p.t.Errorf("%s %s: accepted", p.alg, name)
		}
	}
	if err := must(Parse(p.good)).Verify(p.key); err != nil {
		p.t.Fatalf("%s: after %s the good token: %v", p.alg, name, err)
	}
}

func (p *playbook) parts() (header, payload, signature string) {
	parts := strings.Split(p.good, ".")
	return parts[0], parts[1], parts[2]
}

func TestJWTToolPlaybook(t *testing.T) {
	for _, alg := range []Algorithm{ES256, RS256, PS256, EdDSA} {
		t.Run(string(alg), func(t *testing.T) {
			p := newPlaybook(t, alg)
			p.signatures()
			p.algorithms()
			p.keySources()
			p.keyIDs()
			p.injections()
		})
	}
}

// signatures: no token, signature cut off, null signature, another token's signature.
func (p *playbook) signatures() {
	header, payload, signature := p.parts()
	p.refuse("no token", "")
	p.refuse("signature cut off", header+"."+payload+".")
	p.refuse("signature and dot cut off", header+"."+payload)
	p.refuse("null signature", header+"."+payload+"."+EncodeSegment([]byte{0}))
	p.refuse("zero signature", header+"."+payload+"."+EncodeSegment(make([]byte, p.key.checked.signature)))
	other := must(must(NewSigner(testKeyFor(p.alg), p.alg, "k1", "at+jwt")).Sign([]byte("{}")))
	p.refuse("another token's signature", header+"."+payload+other[strings.LastIndexByte(other, '.'):])
	p.refuse("two signatures", p.good+"."+signature)
	p.refuse("quoted", `"`+p.good+`"`)
	p.refuse("white space around", " "+p.good+"\n")
	p.refuse("Bearer before it", "Bearer "+p.good)
	p.refuse("NUL behind it", p.good+"\x00")
}

// algorithms: none in four spellings, HMAC with weak, blank and public secrets, another
// algorithm of the same key.
func (p *playbook) algorithms() {
	_, payload, signature := p.parts()
	for _, none := range []string{"none", "None", "NONE", "nOnE"} {
		head := EncodeSegment([]byte(`{"alg":"`+none+`","kid":"k1","typ":"at+jwt"}`)) + "." + payload + "."
		p.refuse("alg "+none, head)
		p.refuse("alg "+none+", old signature", head+signature)
	}
	secrets := append(publicSpellings(p.t, testKeyFor(p.alg)), nil, []byte("secret"), []byte("password"),
		[]byte("123456"), []byte("your-256-bit-secret"), []byte("changeme"), []byte("jwt"), []byte("key"), make([]byte, 32))
	for i, secret := range secrets {
		for _, alg := range []string{"HS256", string(p.alg)} {
			p.refuse(fmt.Sprintf("HMAC %d as %s", i, alg), hmacToken(`{"alg":"`+alg+`","kid":"k1","typ":"at+jwt"}`, secret))
		}
	}
	for _, alg := range []string{"ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"} {
		if alg != string(p.alg) {
			p.refuse("renamed to "+alg, EncodeSegment([]byte(`{"alg":"`+alg+`","kid":"k1","typ":"at+jwt"}`))+"."+payload+"."+signature)
		}
	}
}

// keySources: a key injected as jwk or x5c, or pointed to by jku or x5u, and signed with it.
func (p *playbook) keySources() {
	attacker := must(NewSigner(must(must2(ParsePrivateKey([]byte(rfc7515A3Private)))), ES256, "", ""))
	for _, parameter := range []string{
		`"jwk":` + string(attacker.Key().JSON()), `"jku":"https://attacker.example/jwks.json"`,
		`"x5u":"https://attacker.example/cert.pem"`, `"x5c":["MIIB"]`,
	} {
		attacker.header = EncodeSegment([]byte(`{"alg":"ES256","kid":"k1",`+parameter+`}`)) + "."
		p.refuse(parameter[:5], must(attacker.Sign(benchPayload)))
	}
}

// must2 drops the middle of three results.
func must2[T, U any](v T, _ U, err error) (T, error) { return v, err }

// keyIDs: blank, paths, commands, SQL.
func (p *playbook) keyIDs() {
	_, payload, signature := p.parts()
	for _, kid := range []string{
		"", "../../../../../../dev/null", "/dev/null", "../../../../../../bad/path", "/proc/sys/kernel/randomize_va_space",
		"|sleep 10", "key|sleep 10", "| curl attacker.example", "x' UNION SELECT '1';--", "x\" UNION SELECT \"1\";--",
		"http://attacker.example/", "k1' OR 1=1--",
	} {
		header := append(appendQuoted(append([]byte(`{"alg":"`), string(p.alg)+`","kid":`...), kid), '}')
		p.refuse("kid "+kid, EncodeSegment(header)+"."+payload+"."+signature)
		p.refuse("HMAC under kid "+kid, hmacToken(strings.Replace(string(header), string(p.alg), "HS256", 1), nil))
	}
}

// injections: each member of the header and of the payload becomes null, true, false, text,
// 0 or a URL; and new members appear.
func (p *playbook) injections() {
	header, payload, signature := p.parts()
	values := []string{"null", "true", "false", `"jwt_tool"`, "0", `"https://attacker.example/"`, "[]", "{}", `""`}
	replace := func(segment string, use func(string)) {
		data := must(DecodeSegment(segment))
		var s scanner
		must(0, s.run(data, func(name, value []byte) error {
			for _, v := range values {
				from := append(appendQuoted(nil, name), ':')
				to := append(from[:len(from):len(from)], v...)
				use(EncodeSegment(bytes.Replace(data, append(from, value...), to, 1)))
			}
			return nil
		}))
		for _, name := range []string{"alg", "admin", "role", "exp", "nbf", "crit", "jwk", "sub", "iss"} {
			for _, v := range values {
				use(EncodeSegment(append(data[:len(data)-1:len(data)-1], `,"`+name+`":`+v+`}`...)))
			}
		}
	}
	replace(header, func(changed string) { p.refuse("header injection", changed+"."+payload+"."+signature) })
	replace(payload, func(changed string) { p.refuse("claim injection", header+"."+changed+"."+signature) })
}

// TestReflectedNothing: no error text has any part of the token in it.
func TestReflectedNothing(t *testing.T) {
	const canary = "canary4711"
	segment := EncodeSegment([]byte(canary))
	for _, text := range []string{
		canary, canary + ".", canary + "." + canary + "." + canary, "." + canary + ".", canary + "!.e30.AAAA",
		EncodeSegment([]byte(canary)) + ".e30.AAAA", EncodeSegment([]byte(`{"alg":"`+canary+`"}`)) + ".e30.AAAA",
		EncodeSegment([]byte(`{"`+canary+`":1,"`+canary+`":1}`)) + ".e30.AAAA",
		EncodeSegment([]byte(`{"kid":"`+canary+`"}`)) + ".e30.AAAA",
		EncodeSegment([]byte(`{"alg":"ES256","crit":["`+canary+`"]}`)) + ".e30.AAAA",
	} {
		_, err := Parse(text)
		if err == nil || strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), segment) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, jwk := range []string{
		`{"kty":"` + canary + `"}`, `{"kty":"EC","crv":"` + canary + `"}`, `{"kty":"RSA","n":"` + canary + `!","e":"AQAB"}`,
		`{"kty":"EC","alg":"` + canary + `","crv":"P-256","x":"` + canary + `"}`, canary, `{"` + canary + `":1,"` + canary + `":1}`,
		`{"kty":"OKP","use":"` + canary + `"}`, `{"kty":"OKP","key_ops":["` + canary + `"]}`, `{"kid":` + canary + `}`,
		`{"kty":"oct","k":"` + canary + `"}`, `{"kty":"EC","crv":"P-256","d":"` + canary + `"}`,
	} {
		for _, err := range []error{second(ParseKey([]byte(jwk))), second(must2(ParsePrivateKey([]byte(jwk))))} {
			if err == nil || strings.Contains(err.Error(), canary) {
				t.Errorf("%q: %v", jwk, err)
			}
		}
	}
	if _, err := ParseAlgorithm(canary); !errors.Is(err, ErrAlgorithm) || strings.Contains(err.Error(), canary) {
		t.Errorf("ParseAlgorithm: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
