package interop

import (
	"slices"
	"strings"
)

// verdict says which libraries disagree with us about a class of tokens, who is right by the
// specifications ("we", "they", or "both" where a choice is left open), and why.
type verdict struct{ libraries, right, why string }

func (v verdict) names(library string) bool {
	return slices.Contains(strings.Fields(v.libraries), library)
}

const (
	all = "golang-jwt go-jose jwx"

	lineBreaks = "RFC 7515 §2: base64url without line breaks, whitespace, or other additional characters"
	looseBits  = "RFC 4648 §3.5 lets a decoder refuse them; accepting them gives one token many texts"
	layer      = "go-jose and jwx stop at the signature and leave the payload to their caller; ours is checked, and golang-jwt's, before anybody reads it"
	ignored    = "RFC 7515 §4: a parameter that is not understood is ignored; they read it and want a type, we do not read it"
)

// disagreements is the table that TestDifferential holds against what it sees. "refused" and
// "accepted" are what we do; the text behind is the mutation, or where we stopped and our
// error.
var disagreements = map[string]verdict{
	// Encoding.
	"refused, line feed in the header":                                 {"go-jose jwx", "we", lineBreaks},
	"refused, line feed in the payload":                                {"go-jose jwx", "we", lineBreaks},
	"refused, line feed in the signature":                              {all, "we", lineBreaks},
	"refused, line feed at the end in the header":                      {"go-jose jwx", "we", lineBreaks},
	"refused, line feed at the end in the payload":                     {"go-jose jwx", "we", lineBreaks},
	"refused, line feed at the end in the signature":                   {all, "we", lineBreaks},
	"refused, carriage return in the header":                           {"go-jose jwx", "we", lineBreaks},
	"refused, carriage return in the payload":                          {"go-jose jwx", "we", lineBreaks},
	"refused, carriage return in the signature":                        {all, "we", lineBreaks},
	"refused, odd character inserted":                                  {all, "we", lineBreaks + "; line breaks at random places, in golang-jwt of the signature alone"},
	"refused, shape: line feed before":                                 {"go-jose jwx", "we", lineBreaks},
	"refused, loose bits in the header":                                {"go-jose jwx", "both", looseBits},
	"refused, loose bits in the payload":                               {"go-jose jwx", "both", looseBits},
	"refused, loose bits in the signature":                             {all, "both", looseBits},
	"refused, padding in the header":                                   {"jwx", "we", "RFC 7515 §2: trailing = characters omitted"},
	"refused, padding in the payload":                                  {"jwx", "we", "RFC 7515 §2: trailing = characters omitted"},
	"refused, padding in the signature":                                {"jwx", "we", "RFC 7515 §2: trailing = characters omitted"},
	"refused, standard alphabet in the signature":                      {"jwx", "we", "RFC 7515 §2: the URL-safe alphabet; it guesses the alphabet"},
	"refused, token: input is too long":                                {all, "both", "a limit of 16 KiB is ours to set (RFC 7515 §10: limits on resources)"},
	"refused, token: a token is exactly three parts separated by dots": {"jwx", "both", "it takes the JSON serializations too unless told not to (RFC 7515 §7.2 is optional)"},

	// Header.
	"refused, token: a JSON object names a member twice": {"golang-jwt jwx", "we",
		"RFC 7515 §4 allows to take the last, but in deeper objects and for alg two readers disagree: go-jose refuses too"},
	"refused, token: JSON is nested too deep": {all, "both", "depth 16 is ours to set (RFC 8259 §9)"},
	"refused, token: not one strict JSON object: not valid UTF-8": {all, "we",
		"RFC 7515 §5.2 step 3: the header is UTF-8; encoding/json puts U+FFFD in its place"},
	"refused, token: not one strict JSON object: unpaired surrogate in a string": {all, "both",
		"RFC 8259 §8.2 calls the outcome unpredictable, RFC 7493 §2.1 forbids it"},
	"refused, token: not one strict JSON object: something follows the object": {"jwx", "we",
		"RFC 7515 §5.2 step 8: what is signed is the received text; it cuts the object out and verifies over that, so that bytes which nobody signed can follow"},
	"refused, token: header is not acceptable: alg is missing or not a string": {"jwx", "we",
		"RFC 7515 §4.1.1: alg MUST be present; under WithKey it does not look"},
	"refused, token: algorithm is not acceptable: alg is none of the asymmetric signature algorithms of this package": {"golang-jwt jwx", "we",
		"golang-jwt: none first and the real one behind, the last counts; jwx does not look at alg under WithKey (RFC 8725 §3.1)"},
	"refused, signature: algorithm is not acceptable: the token's alg is not the key's": {"jwx", "we",
		"RFC 7515 §5.2 step 8: validated in the manner of the algorithm that alg names; under WithKey it does not look"},
	"refused, token: header is not acceptable: crit is present, but no extension is implemented": {all, "we",
		"RFC 7515 §4.1.11: refuse what is not understood, and an empty list. golang-jwt and jwx do not look; go-jose takes null, an empty list, and b64 where there is none"},
	"refused, token: header is not acceptable: b64 is present, but unencoded payloads are not implemented": {all, "both",
		"RFC 7797 §6: without crit it may be ignored; a reader that honours it sees another payload"},
	"refused, token: header is not acceptable: jwk, jku, x5u or x5c is present, but keys are never taken from a token": {all, "both",
		"none of them uses the key when given one; refusing shows the attack (RFC 8725 §3.10)"},
	"refused, token: header is not acceptable: zip is present, but compression is not implemented": {all, "both",
		"zip is for JWE and ignored in JWS; refusing it is ours (RFC 8725 §3.6)"},
	"refused, token: header is not acceptable: kid is not a string": {all, "we", "RFC 7515 §4.1.4: its value MUST be a string"},
	"refused, token: header is not acceptable: typ is not a string": {all, "we", "RFC 7515 §4.1.9 with RFC 2045: a media type; it decides which kind of token this is (RFC 8725 §3.11)"},

	"accepted, header: cty":          {"jwx", "both", ignored},
	"accepted, header: x5t":          {"jwx", "both", ignored},
	"accepted, header: x5t#S256":     {"jwx", "both", ignored},
	"accepted, header: nonce":        {"go-jose", "both", ignored + " (its nonce is ACME's)"},
	"accepted, header: huge number":  {all, "we", "RFC 8259 §6 sets no limit, and RFC 7515 §4 wants the parameter ignored; they force it into a float64"},
	"accepted, header: long number":  {all, "we", "as a huge number"},
	"accepted, header: white space":  {"jwx", "we", "RFC 7515 §5.2 step 8: what is signed is the received text; it verifies over the object that it cut out, without the space before it"},
	"accepted, header: random byte":  {"jwx", "we", "white space before the object, as above"},
	"accepted, payload: huge number": {"golang-jwt", "both", "it reads all claims into float64; here the range is checked where a claim is read"},
	"accepted, payload: long number": {"golang-jwt", "both", "as a huge number"},

	// Payload.
	"refused, payload: a JSON object names a member twice": {all, "we", "RFC 7519 §4: names MUST be unique, reject or take the last; two readers of one token must not disagree"},
	"refused, payload: JSON is nested too deep":            {all, "both", "depth 16 is ours to set (RFC 8259 §9)"},
	"refused, payload: not one strict JSON object: not valid UTF-8": {all, "we",
		"RFC 7519 §7.2 step 10: the claims set is UTF-8; encoding/json puts U+FFFD in its place. " + layer},
	"refused, payload: not one strict JSON object: unpaired surrogate in a string": {all, "both", "RFC 8259 §8.2, RFC 7493 §2.1. " + layer},
	"refused, payload: not one strict JSON object: it does not begin with {": {all, "we",
		"RFC 7519 §7.2 step 10: a JSON object; golang-jwt takes null for an empty one. " + layer},
	"refused, payload: not one strict JSON object: something follows the object": {"go-jose jwx", "we", layer},
	"refused, payload: not one strict JSON object: syntax error":                 {"go-jose jwx", "we", layer},
}
