package jose

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// The properties that the fuzzer tries to break. Seeds run with every go test.

// FuzzParse: what Parse accepts is one text for one content, its header is what
// encoding/json reads, and it verifies only if a key's owner made exactly this text.
func FuzzParse(f *testing.F) {
	ed := must(NewSigner(ed25519TestKey(), EdDSA, "k1", "at+jwt"))
	rs := must(NewSigner(rsaTestKey(), RS256, "k2", ""))
	genuine := map[string]bool{}
	for _, s := range []*Signer{ed, rs} {
		for _, payload := range []string{"", "{}", string(benchPayload)} {
			text := must(s.Sign([]byte(payload)))
			genuine[text] = true
			f.Add(text)
		}
	}
	for _, text := range []string{
		"", ".", "..", "...", rfc7515A1Token, rfc7515A2Token, rfc7515A3Token, rfc7515A4Token, rfc7515A5Token, rfc7515A6, rfc8037Token,
		EncodeSegment([]byte(` {"\u0061lg" : "RS256", "kid":"\ud83d\ude00","typ":"a\/b","x":[1,{"y":null}]} `)) + ".e30.AAAA",
		EncodeSegment([]byte(`{"alg":"ES256","crit":[]}`)) + ".e30.AAAA",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := Parse(text)
		if err != nil {
			if token != nil {
				t.Fatal("a token and an error")
			}
			return
		}
		parts := strings.Split(text, ".")
		if len(parts) != 3 || len(text) > MaxToken {
			t.Fatalf("%d parts, %d bytes", len(parts), len(text))
		}
		header := must(DecodeSegment(parts[0]))
		if again := EncodeSegment(header) + "." + EncodeSegment(token.Payload) + "." + EncodeSegment(token.signature); again != text {
			t.Fatalf("%q is also written %q", text, again)
		}
		var h map[string]any
		if err := json.Unmarshal(header, &h); err != nil {
			t.Fatalf("header %q: %v", header, err)
		}
		kid, _ := h["kid"].(string)
		typ, _ := h["typ"].(string)
		if h["alg"] != string(token.Header.Algorithm) || kid != token.Header.KeyID || typ != token.Header.Type {
			t.Fatalf("header %q read as %+v", header, token.Header)
		}
		for _, name := range []string{"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip"} {
			if _, ok := h[name]; ok {
				t.Fatalf("header %q accepted", header)
			}
		}
		for _, s := range []*Signer{ed, rs} {
			if token.Verify(s.Key()) == nil && !genuine[text] {
				t.Fatalf("%q was never signed", text)
			}
		}
	})
}

// reference decides by encoding/json what CheckObject should say.
func reference(data []byte) bool {
	if !utf8.Valid(data) || !json.Valid(data) || hasLoneSurrogate(data) {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	first, err := d.Token()
	if err != nil || first != json.Delim('{') {
		return false
	}
	return referenceObject(d, 1) && errors.Is(second(d.Token()), io.EOF)
}

func referenceObject(d *json.Decoder, depth int) bool {
	if depth > MaxDepth {
		return false
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil || seen[name.(string)] {
			return false
		}
		seen[name.(string)] = true
		if !referenceValue(d, depth+1) {
			return false
		}
	}
	return second(d.Token()) == nil
}

func referenceValue(d *json.Decoder, depth int) bool {
	token, err := d.Token()
	if err != nil {
		return false
	}
	switch token {
	case json.Delim('{'):
		return referenceObject(d, depth)
	case json.Delim('['):
		if depth > MaxDepth {
			return false
		}
		for d.More() {
			if !referenceValue(d, depth+1) {
				return false
			}
		}
		return second(d.Token()) == nil
	}
	return true
}

// hasLoneSurrogate looks for \u escapes only, in data that is valid JSON: encoding/json
// turns an unpaired surrogate into U+FFFD, which text can also contain by itself.
func hasLoneSurrogate(data []byte) bool {
	text := string(data)
	for {
		i := strings.IndexByte(text, '\\')
		if i < 0 {
			return false
		}
		if text[i+1] != 'u' {
			text = text[i+2:]
			continue
		}
		var alone string
		must(0, json.Unmarshal([]byte(`"`+text[i:i+6]+`"`), &alone))
		if alone != "\ufffd" || strings.EqualFold(text[i+2:i+6], "fffd") {
			text = text[i+6:]
			continue
		}
		if len(text) < i+12 || text[i+6] != '\\' || text[i+7] != 'u' {
			return true
		}
		var pair string
		must(0, json.Unmarshal([]byte(`"`+text[i:i+12]+`"`), &pair))
		if utf8.RuneCountInString(pair) != 1 {
			return true
		}
		text = text[i+12:]
	}
}

// FuzzCheckObject: CheckObject and encoding/json, asked about everything that CheckObject
// demands, agree on every text.
func FuzzCheckObject(f *testing.F) {
	for _, text := range []string{
		``, `{}`, `{"a":1}`, `{"a":1,"a":2}`, `{"a":[{"b":1},{"b":2}]}`, `{"\u0061":1,"a":2}`, `{"a":"\ud800"}`,
		`{"a":"\ud83d\ude00","\ud83d\ude00":"😀"}`, `{"a":"\ufffd\uFFFD"}`, `{"a":-0.5e+10,"b":[null,true,false]}`,
		strings.Repeat(`{"a":`, 16) + "1" + strings.Repeat("}", 16), strings.Repeat(`{"a":[`, 9) + strings.Repeat("]}", 9),
		"{\"a\":\"\xff\"}", " {\"a\" : \"b\"\t}\r\n", `{"a":"\\\"\/"}`, string(benchPayload), rfc7517A1, rfc7515A6,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := CheckObject(data)
		if want := reference(data); (err == nil) != want {
			t.Fatalf("%q: %v, but encoding/json says %v", data, err, want)
		}
	})
}

// FuzzDecodeSegment: at most one text per value.
func FuzzDecodeSegment(f *testing.F) {
	for _, text := range []string{"", "A", "AA", "AB", "AAA", "AAAA", "AA==", "AA\nAA", "_-", rfc7515PayloadSegment} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if data, err := DecodeSegment(text); err == nil {
			if again := EncodeSegment(data); again != text {
				t.Fatalf("%q is also written %q", text, again)
			}
		}
		if data := must(DecodeSegment(EncodeSegment([]byte(text)))); string(data) != text {
			t.Fatalf("%q becomes %q", text, data)
		}
	})
}

// FuzzParseKey: an accepted key is public, strict JSON, and the same key after JSON and PEM.
func FuzzParseKey(f *testing.F) {
	for _, jwk := range []string{
		"{" + rfc7515A2Public + "}", "{" + rfc7515A3Public + "}", "{" + rfc7515A4Public + "}", rfc8037Public, rfc8037Private,
		edKey + `,"kid":"\u0000é","use":"sig","key_ops":["verify"],"alg":"Ed25519"}`, rfc7515A1Key, rfc7517RSAPrivate,
	} {
		f.Add([]byte(jwk))
	}
	f.Fuzz(func(t *testing.T, jwk []byte) {
		if signer, key, err := ParsePrivateKey(jwk); err == nil {
			if _, err := ParseKey(jwk); !errors.Is(err, ErrPrivateKey) {
				t.Fatalf("a private key as a public one: %v", err)
			}
			if must(NewKey(signer.Public(), "", "")).Thumbprint() != key.Thumbprint() {
				t.Fatal("the halves differ")
			}
		}
		key, err := ParseKey(jwk)
		if err != nil {
			return
		}
		if err := CheckObject(jwk); err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		again, err := ParseKey(key.JSON())
		if err != nil || again.ID != key.ID || again.Algorithm != key.Algorithm ||
			!bytes.Equal(again.JSON(), key.JSON()) || again.Thumbprint() != key.Thumbprint() {
			t.Fatalf("%s reads back as %v, %v", key.JSON(), again, err)
		}
		pub, err := ParsePublicPEM(key.PEM())
		if err != nil || must(NewKey(pub, key.Algorithm, "")).Thumbprint() != key.Thumbprint() {
			t.Fatalf("%s: %v", key.PEM(), err)
		}
	})
}

// FuzzParseKeySet: each element of keys is either used or skipped, and no kid is ambiguous.
func FuzzParseKeySet(f *testing.F) {
	for _, text := range []string{
		rfc7517A1, `{"keys":[]}`, `{"keys":[` + edKey + `},` + edKey + `},` + edKey + `,"kid":"a"},{"kid":"a"},null,1]}`,
		`{"keys":[{` + rfc7517EC + `,"kid":"a"},` + edKey + `,"kid":"a"}]}`, `{"keys":[{"a":1,"a":2}],"x":{"y":1,"y":2}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := ParseKeySet(data)
		if err != nil {
			return
		}
		var elements struct{ Keys []json.RawMessage }
		if err := json.Unmarshal(exactKeys(t, data), &elements); err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		if len(elements.Keys) != len(set.Keys)+len(set.Skipped) {
			t.Fatalf("%d elements, %d used, %d skipped", len(elements.Keys), len(set.Keys), len(set.Skipped))
		}
		for _, k := range set.Keys {
			if k.ID != "" && set.Lookup(k.ID) != k {
				t.Fatalf("kid %q is ambiguous", k.ID)
			}
		}
		for _, s := range set.Skipped {
			if s.Reason == nil || s.Index >= len(elements.Keys) {
				t.Fatalf("skipped %+v", s)
			}
		}
		if again := must(ParseKeySet(set.JSON())); !bytes.Equal(again.JSON(), set.JSON()) {
			t.Fatalf("%s reads back as %s", set.JSON(), again.JSON())
		}
	})
}

// exactKeys drops all members but keys: encoding/json would take Keys for keys.
func exactKeys(t *testing.T, data []byte) []byte {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		t.Fatalf("accepted, but %v", err)
	}
	return append(append([]byte(`{"keys":`), members["keys"]...), '}')
}

// FuzzECDSASignature: r || s survives the way to ASN.1 and back, and anything else that a
// signer could return is an error or a number of the right size.
func FuzzECDSASignature(f *testing.F) {
	f.Add(make([]byte, 64))
	f.Add(bytes.Repeat([]byte{0xff}, 96))
	f.Add(bytes.Repeat([]byte{0x7f}, 132))
	f.Add(append(make([]byte, 31), bytes.Repeat([]byte{0x80}, 33)...))
	f.Add([]byte{0x30, 6, 2, 1, 1, 2, 1, 1})
	f.Add([]byte{0x30, 0x81, 6, 2, 1, 1, 2, 1, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, size := range []int{64, 96, 132} {
			signature := make([]byte, size)
			copy(signature, data)
			der := appendDER(nil, signature)
			if len(der) > maxDER {
				t.Fatalf("%d bytes", len(der))
			}
			back := make([]byte, size)
			if !splitDER(back, der) || !bytes.Equal(back, signature) {
				t.Fatalf("%x becomes %x", signature, back)
			}
			if other := make([]byte, size); splitDER(other, data) && !splitDER(make([]byte, size), appendDER(nil, other)) {
				t.Fatalf("%x becomes %x", data, other)
			}
		}
	})
}

// FuzzPEM: an accepted public key is one that NewKey accepts, and no private key is one.
func FuzzPEM(f *testing.F) {
	f.Add(must(NewKey(&p256TestKey().PublicKey, ES256, "")).PEM())
	f.Add([]byte(block("PRIVATE KEY", []byte{0x30, 0})))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		pub, err := ParsePublicPEM(data)
		if err == nil {
			must(NewKey(pub, "", ""))
		}
		if _, privateErr := ParsePrivatePEM(data); privateErr == nil && err == nil {
			t.Fatal("public and private at once")
		}
	})
}
