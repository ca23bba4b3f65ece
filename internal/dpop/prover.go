package dpop

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// Prover makes proofs with one key. It is safe for concurrent use as far as its
// crypto.Signer is. It prints as its algorithm and thumbprint, never as its key.
type Prover struct {
	signer     *jose.Signer
	thumbprint string
}

// NewProver returns a prover for a private key of the standard library or any crypto.Signer:
// ECDSA on P-256 (ES256) or P-384 (ES384), RSA (PS256), or Ed25519 (EdDSA). Nil, weak and
// other keys are errors.
func NewProver(key crypto.Signer) (*Prover, error) {
	signer, err := jose.NewProofSigner(key, "", symbolon.TypDPoPProof)
	if err != nil {
		return nil, fmt.Errorf("the key for DPoP proofs cannot be used; make one with ECDSA P-256: %w", err)
	}
	return &Prover{signer: signer, thumbprint: signer.Key().Thumbprint()}, nil
}

// Thumbprint is the key's as it stands in cnf.jkt (RFC 9449 §6.1): 43 characters.
func (p *Prover) Thumbprint() string { return p.thumbprint }

// ProofRequest says what a proof is for.
type ProofRequest struct {
	Method      string    // of the HTTP request, as sent: "POST"
	URL         string    // of the HTTP request; the proof has it without query and fragment
	Nonce       string    // the server's newest nonce, "" while it gave none
	AccessToken string    // the token of the request, "" at a token endpoint
	Time        time.Time // the server's time as far as known; zero: the clock's
}

// String tells the request without nonce and token.
func (r ProofRequest) String() string { return "dpop.ProofRequest(" + r.Method + ")" }

// Format is String under every verb.
func (r ProofRequest) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue is String for slog.
func (r ProofRequest) LogValue() slog.Value { return slog.StringValue(r.String()) }

var (
	errProofMethod = errors.New("dpop: the method of the request is not a token of RFC 9110 §5.6.2")
	errProofNonce  = errors.New("dpop: the nonce has characters that RFC 9449 §8.1 does not allow, or is longer than 1024")
)

// maxNonce bounds a server's nonce, in characters; a proof must fit into a request head.
const maxNonce = 1 << 10

// Proof returns a new proof (RFC 9449 §4.2) with a jti of 128 random bits. Errors: a method
// or nonce that no HTTP message has, a URL that [NormalizeURL] refuses, and what the
// crypto.Signer says.
func (p *Prover) Proof(r ProofRequest) (string, error) {
	if !httpToken(r.Method) {
		return "", errProofMethod
	}
	if len(r.Nonce) > maxNonce || !nonceChars(r.Nonce) {
		return "", errProofNonce
	}
	htu, err := NormalizeURL(r.URL)
	if err != nil {
		return "", err
	}
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	return p.signer.Sign(r.appendClaims(make([]byte, 0, 256+len(htu)+len(r.Nonce)), htu))
}

// appendClaims appends the claims as JSON. No value needs escaping: each was checked or made
// of characters that need none.
func (r ProofRequest) appendClaims(b []byte, htu string) []byte {
	var id [16]byte
	rand.Read(id[:])
	b = append(b, `{"jti":"`...)
	b = jose.AppendSegment(b, id[:])
	b = append(b, `","htm":"`...)
	b = append(b, r.Method...)
	b = append(b, `","htu":"`...)
	b = append(b, htu...)
	b = append(b, `","iat":`...)
	b = strconv.AppendInt(b, r.Time.Unix(), 10)
	if r.AccessToken != "" {
		b = append(b, `,"ath":"`...)
		b = appendTokenHash(b, r.AccessToken)
		b = append(b, '"')
	}
	if r.Nonce != "" {
		b = append(b, `,"nonce":"`...)
		b = append(b, r.Nonce...)
		b = append(b, '"')
	}
	return append(b, '}')
}

// hashText is the length of an ath.
const hashText = (sha256.Size*8 + 5) / 6

// appendTokenHash appends the ath of an access token (RFC 9449 §4.2).
func appendTokenHash(b []byte, token string) []byte {
	var space [1 << 10]byte // of most tokens
	sum := sha256.Sum256(append(space[:0], token...))
	return jose.AppendSegment(b, sum[:])
}

// httpToken reports whether s is a token of RFC 9110 §5.6.2, as a method is.
func httpToken(s string) bool {
	const others = "!#$%&'*+-.^_`|~"
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && !contains(others, c) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// nonceChars reports whether s has characters of a nonce only (RFC 9449 §8.1, NQCHAR).
func nonceChars(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// String returns the algorithm and the thumbprint.
func (p *Prover) String() string {
	if p == nil || p.signer == nil {
		return "dpop.Prover(nil)"
	}
	return "dpop.Prover(" + string(p.signer.Key().Algorithm) + " " + p.thumbprint + ")"
}

// Format is String under every verb: none may print the private key.
func (p *Prover) Format(f fmt.State, _ rune) { io.WriteString(f, p.String()) }

// LogValue is String for slog.
func (p *Prover) LogValue() slog.Value { return slog.StringValue(p.String()) }
