// Package jose makes and checks compact JSON Web Signatures (RFC 7515), JSON Web Keys and
// key sets (RFC 7517) and key thumbprints (RFC 7638) with the standard library alone.
//
// It is strict where others were broken:
//
//   - The algorithm belongs to the key ([Key].Algorithm). A token's header can only agree
//     with it (RFC 8725 §3.1). There is no "none", no HMAC, no encryption, no compression.
//   - A token is at most [MaxToken] bytes, exactly three parts, strict base64url, and its
//     header is one strict JSON object without duplicate members.
//   - A header that brings its own key or changes the rules (crit, b64, jwk, jku, x5u, x5c,
//     zip) is refused before anything is computed.
//   - Weak keys, private members in a public key, and keys that contradict themselves are
//     refused when they are parsed, not when they are used.
//
// The path of a received token is [Parse], then the caller picks a [Key] from its own
// configuration, then [Token.Verify], then [CheckObject] on the payload. Signing is a
// [Signer], made once per key. Errors are sentinels for errors.Is; their texts never
// contain any part of a token or of a key.
package jose
