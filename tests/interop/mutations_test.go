package interop

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"

	"github.com/symbolon/symbolon/internal/jose"
)

// mutant is a token that somebody tampered with, and how.
type mutant struct {
	kind  string // the name of the mutation, part of the name of a disagreement
	token string
}

// mutator makes mutants of one good token from a fixed seed.
type mutator struct {
	rand            *rand.Rand
	sign            func(header, payload []byte) string // with the real key: an insider's token
	header, payload []byte
	order           *big.Int // of the curve, nil for other keys
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func (m *mutator) pick(list []string) string { return list[m.rand.IntN(len(list))] }

// all returns n random mutants of each kind and each systematic one once.
func (m *mutator) all(n int) []mutant {
	good := m.sign(m.header, m.payload)
	parts := strings.Split(good, ".")
	list := []mutant{{"none", good}}
	list = append(list, m.encodings(parts)...)
	list = append(list, m.shapes(parts)...)
	list = append(list, m.signatures(parts)...)
	for range n {
		list = append(list, m.character(good), m.resignedBytes(true), m.resignedBytes(false))
	}
	for _, header := range headers(string(m.header)) {
		list = append(list, mutant{"header: " + header.kind, m.sign([]byte(header.text), m.payload)})
	}
	for _, payload := range objects(string(m.payload)) {
		list = append(list, mutant{"payload: " + payload.kind, m.sign(m.header, []byte(payload.text))})
	}
	return list
}

// character inserts, replaces or deletes one character of the token.
func (m *mutator) character(good string) mutant {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	odd := []string{"\n", "\r", "\r\n", "=", "==", " ", "\t", "+", "/", ".", "\x00", "é", "%3D", ",", "\xff", "~", "{", "\""}
	at := m.rand.IntN(len(good))
	with := alphabet[m.rand.IntN(64):][:1]
	kind := "base64 character"
	if m.rand.IntN(2) == 0 {
		with, kind = m.pick(odd), "odd character"
	}
	switch m.rand.IntN(3) {
	case 0:
		return mutant{kind + " inserted", good[:at] + with + good[at:]}
	case 1:
		return mutant{kind + " replaced", good[:at] + with + good[at+1:]}
	}
	return mutant{"character deleted", good[:at] + good[at+1:]}
}

// encodings respells the base64 of each part without changing its bytes, or signs the
// respelt text, as a careless issuer would.
func (m *mutator) encodings(parts []string) []mutant {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var list []mutant
	for i, name := range []string{"header", "payload", "signature"} {
		with := func(kind, text string) {
			changed := append([]string(nil), parts...)
			changed[i] = text
			list = append(list, mutant{kind + " in the " + name, strings.Join(changed, ".")})
		}
		part := parts[i]
		if used := len(part) * 6 % 8; used != 0 { // loose bits at the end
			last := strings.IndexByte(alphabet, part[len(part)-1])
			for loose := 1; loose < 1<<used; loose++ {
				with("loose bits", part[:len(part)-1]+alphabet[last|loose:][:1])
			}
		}
		with("padding", part+strings.Repeat("=", (4-len(part)%4)%4))
		with("too much padding", part+"====")
		with("line feed", part[:4]+"\n"+part[4:])
		with("line feed at the end", part+"\n")
		with("carriage return", part[:5]+"\r\n"+part[5:])
		with("space", part[:4]+" "+part[4:])
		with("standard alphabet", strings.NewReplacer("-", "+", "_", "/").Replace(part))
		with("an extra character", part+"A")
	}
	return list
}

// shapes are tokens with the wrong number of parts, the JSON serializations, and what people
// paste around tokens.
func (m *mutator) shapes(parts []string) []mutant {
	h, p, s := parts[0], parts[1], parts[2]
	good := strings.Join(parts, ".")
	return []mutant{
		{"shape: empty", ""}, {"shape: dots", ".."}, {"shape: two parts", h + "." + p}, {"shape: four parts", good + ".AAAA"},
		{"shape: a dot behind", good + "."}, {"shape: a dot before", "." + good}, {"shape: five parts", good + "." + p + "." + s},
		{"shape: no signature", h + "." + p + "."}, {"shape: no header", "." + p + "." + s}, {"shape: no payload", h + ".." + s},
		{"shape: swapped", p + "." + h + "." + s}, {"shape: header twice", h + "." + h + "." + s},
		{"shape: white space before", " " + good}, {"shape: white space behind", good + " "}, {"shape: line feed before", "\n" + good},
		{"shape: quoted", `"` + good + `"`}, {"shape: Bearer", "Bearer " + good},
		{"shape: flattened JSON", fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, p, h, s)},
		{"shape: general JSON", fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, p, h, s)},
		{"shape: JSON with two signatures", fmt.Sprintf(
			`{"payload":%q,"signatures":[{"protected":%q,"signature":"AAAA"},{"protected":%q,"signature":%q}]}`, p, h, h, s)},
		{"shape: JSON with an unprotected header", fmt.Sprintf(
			`{"payload":%q,"protected":%q,"header":{"kid":"x"},"signature":%q}`, p, h, s)},
		{"shape: over-long", m.sign(m.header, []byte(`{"x":"`+strings.Repeat("x", jose.MaxToken)+`"}`))},
	}
}

// signatures replaces the signature by others of the same or another length.
func (m *mutator) signatures(parts []string) []mutant {
	old, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		panic(err)
	}
	var list []mutant
	with := func(kind string, signature []byte) {
		list = append(list, mutant{"signature: " + kind, parts[0] + "." + parts[1] + "." + encode(signature)})
	}
	with("zero", make([]byte, len(old)))
	with("all ones", []byte(strings.Repeat("\xff", len(old))))
	with("cut", old[:len(old)-1])
	with("extended", append(append([]byte(nil), old...), 0))
	with("zero before", append([]byte{0}, old...))
	with("twice", append(append([]byte(nil), old...), old...))
	for range 40 {
		flipped := append([]byte(nil), old...)
		flipped[m.rand.IntN(len(old))] ^= 1 << m.rand.IntN(8)
		with("a bit flipped", flipped)
	}
	if m.order == nil {
		return list
	}
	half := len(old) / 2
	r, s := new(big.Int).SetBytes(old[:half]), new(big.Int).SetBytes(old[half:])
	size := func(n *big.Int) []byte {
		if n.BitLen() > 8*half {
			return n.FillBytes(make([]byte, half+1))
		}
		return n.FillBytes(make([]byte, half))
	}
	pair := func(kind string, a, b *big.Int) { with(kind, append(size(a), size(b)...)) }
	pair("r and n-s", r, new(big.Int).Sub(m.order, s))
	pair("s and r", s, r)
	pair("r+n", new(big.Int).Add(r, m.order), s)
	pair("s+n", r, new(big.Int).Add(s, m.order))
	pair("r zero", new(big.Int), s)
	pair("s zero", r, new(big.Int))
	pair("r and s are n", m.order, m.order)
	der := func(n *big.Int) []byte {
		b := n.Bytes()
		if b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return append([]byte{2, byte(len(b))}, b...)
	}
	body := append(der(r), der(s)...)
	with("ASN.1", append([]byte{0x30, byte(len(body))}, body...))
	return list
}

// resignedBytes changes one byte of the header or of the payload and signs the result.
func (m *mutator) resignedBytes(header bool) mutant {
	data, name := m.payload, "payload"
	if header {
		data, name = m.header, "header"
	}
	odd := []string{"{", "}", "[", "]", ",", ":", `"`, `\`, "0", "9", "-", ".", "e", "t", "n", " ", "\n", "\x00", "\x1f", "\x7f", "é", "\xff", "'", "/", "a"}
	at := m.rand.IntN(len(data))
	var changed string
	switch m.rand.IntN(3) {
	case 0:
		changed = string(data[:at]) + m.pick(odd) + string(data[at:])
	case 1:
		changed = string(data[:at]) + m.pick(odd) + string(data[at+1:])
	default:
		changed = string(data[:at]) + string(data[at+1:])
	}
	if header {
		return mutant{name + ": random byte", m.sign([]byte(changed), m.payload)}
	}
	return mutant{name + ": random byte", m.sign(m.header, []byte(changed))}
}

// text is a mutated header or payload.
type text struct{ kind, text string }

// objects returns what can be wrong with a JSON object, and things that look wrong and are
// not.
func objects(object string) []text {
	with := func(member string) string { return object[:len(object)-1] + "," + member + "}" }
	return []text{
		{"white space", " \t\r\n" + with(" \"x\" : [ 1 , 2 ] ") + "\n"},
		{"escapes", with(`"\u0078\n":"\ud83d\ude00\/"`)},
		{"empty name", with(`"":1`)},
		{"duplicate", with(`"x":1,"x":2`)},
		{"duplicate, escaped", with(`"x":1,"\u0078":2`)},
		{"duplicate inside", with(`"y":{"x":1,"x":2}`)},
		{"names in two cases", with(`"x":1,"X":2`)},
		{"deep", with(`"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20))},
		{"very deep", with(`"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000))},
		{"invalid UTF-8 in a value", with("\"x\":\"\xff\"")},
		{"invalid UTF-8 in a name", with("\"\xff\":1")},
		{"unpaired surrogate", with(`"x":"\ud800"`)},
		{"byte order mark", "\ufeff" + object},
		{"text behind", object + "x"},
		{"object behind", object + "{}"},
		{"NUL behind", object + "\x00"},
		{"comma behind", object[:len(object)-1] + ",}"},
		{"comment", object[:len(object)-1] + "/**/}"},
		{"control character", with("\"x\":\"\x01\"")},
		{"single quotes", with(`'x':1`)},
		{"name without quotes", with(`x:1`)},
		{"leading zero", with(`"x":01`)},
		{"plus sign", with(`"x":+1`)},
		{"hexadecimal", with(`"x":0x1`)},
		{"NaN", with(`"x":NaN`)},
		{"huge number", with(`"x":1e999`)},
		{"long number", with(`"x":` + strings.Repeat("9", 400))},
		{"array", "[" + object + "]"}, {"null", "null"}, {"string", `"x"`}, {"number", "1"}, {"empty", ""}, {"empty object", "{}"},
		{"not JSON", "x"}, {"cut", object[:len(object)-1]},
	}
}

// headers returns what objects does, and what can be wrong with a header alone.
func headers(header string) []text {
	with := func(member string) string { return header[:len(header)-1] + "," + member + "}" }
	list := objects(header)
	for _, name := range []string{"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "x5t", "x5t#S256", "cty", "Crit", "nonce"} {
		for _, value := range []string{"null", "true", "false", "1", `"x"`, `["x"]`, "[]", "{}", `["b64"]`, `["exp"]`, `"https://attacker.example/"`} {
			list = append(list, text{name + "=" + value, with(`"` + name + `":` + value)})
		}
	}
	list = append(list, text{"crit of a present parameter", with(`"exp":1,"crit":["exp"]`)},
		text{"crit with b64 true", with(`"b64":true,"crit":["b64"]`)},
		text{"crit with b64 false", with(`"b64":false,"crit":["b64"]`)})
	for _, name := range []string{"kid", "typ", "alg"} {
		for _, value := range []string{"null", "true", "0", "[]", "{}", `""`, `"x"`, `"none"`, `"HS256"`, `"ES384"`, `"RS256"`, `"es256"`} {
			list = append(list, text{name + " is " + value, replaceMember(header, name, `"`+name+`":`+value)})
		}
		list = append(list, text{name + " missing", replaceMember(header, name, `"x":1`)})
		list = append(list, text{name + " in another case", replaceMember(header, name, `"`+strings.ToUpper(name)+`":"x"`)})
		list = append(list, text{name + " again in another case", with(`"` + strings.ToUpper(name) + `":"none"`)})
		list = append(list, text{name + " again", with(`"` + name + `":"none"`)})
		list = append(list, text{name + " again before", `{"` + name + `":"none",` + header[1:]})
	}
	return list
}

// replaceMember replaces a member whose value is a string without escapes.
func replaceMember(object, name, member string) string {
	from := strings.Index(object, `"`+name+`":"`)
	to := from + len(name) + 4
	to += strings.IndexByte(object[to:], '"') + 1
	return object[:from] + member + object[to:]
}
