package client

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// assertionLife is how long an assertion is valid: it goes straight to the
// server. Servers accept at most 5 minutes.
const assertionLife = time.Minute

// errNoAudience: without an issuer there is nobody whom the assertion is for.
var errNoAudience = errors.New("is empty; a client with a private key needs it beside TokenURL: it is the audience of what the key signs (RFC 7523 §3)")

// PrivateKeyJWT proves by the signature of a private key (private_key_jwt,
// RFC 7523 §2.2): any crypto.Signer, as an HSM's or a KMS's, with ECDSA P-256
// (ES256) or P-384 (ES384), Ed25519 (EdDSA), or RSA of 2048 bits or more
// (PS256; RS256 where the server's metadata offers only that). kid is the key's
// id at the server; "" sends none, which will do for a client with one key.
//
// Every request gets an assertion of its own, valid for a minute, whose
// audience is Config.Issuer and nothing that the metadata says.
func PrivateKeyJWT(key crypto.Signer, kid string) Auth {
	signer, err := newAssertionSigner(key, "", kid)
	return &privateKey{func() (*assertionSigner, error) { return signer, err }}
}

// privateKey holds the key behind a function: a struct around it that prints
// its fields prints an address.
type privateKey struct {
	signer func() (*assertionSigner, error)
}

func (k *privateKey) authenticate(r *tokenRequest) error {
	s, err := k.signer()
	if err != nil {
		return err
	}
	return r.addAssertion(s)
}

func (k *privateKey) String() string       { return "client.PrivateKeyJWT([redacted])" }
func (k *privateKey) GoString() string     { return k.String() }
func (k *privateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// PrivateKeyFile proves by the private key in a file, as PrivateKeyJWT does:
// PEM (PKCS #8, SEC 1 or PKCS #1, not encrypted) or a private JWK, whose kid is
// sent when kid is "", and whose alg is signed with. The file is read for every
// token request, so that a new key needs no restart.
func PrivateKeyFile(path, kid string) Auth { return &privateKeyFile{path, kid} }

type privateKeyFile struct{ path, kid string }

func (k *privateKeyFile) authenticate(r *tokenRequest) error {
	data, err := readFile("the key's file", k.path, jose.MaxKey)
	if err != nil {
		return err
	}
	s, err := k.signer(data)
	if err != nil {
		return fmt.Errorf("%s: %w", k.path, err)
	}
	return r.addAssertion(s)
}

func (k *privateKeyFile) signer(data []byte) (*assertionSigner, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		private, err := jose.ParsePrivatePEM(data)
		if err != nil {
			return nil, fmt.Errorf("the file holds no private key that can be used: %w", err)
		}
		return newAssertionSigner(private, "", k.kid)
	}
	private, public, err := jose.ParsePrivateKey(data)
	if err != nil {
		return nil, fmt.Errorf("the file holds no private JWK that can be used: %w", err)
	}
	kid := k.kid
	if kid == "" {
		kid = public.ID
	}
	return newAssertionSigner(private, public.Algorithm, kid)
}

func (k *privateKeyFile) version() string { return fileVersion(k.path) }

func (k *privateKeyFile) String() string       { return "client.PrivateKeyFile(" + k.path + ")" }
func (k *privateKeyFile) GoString() string     { return k.String() }
func (k *privateKeyFile) LogValue() slog.Value { return slog.StringValue(k.String()) }

// assertionSigner signs assertions with one key.
type assertionSigner struct {
	main  *jose.Signer
	rs256 *jose.Signer // of an RSA key that is not pinned to an algorithm
}

// newAssertionSigner checks the key. An empty alg is the one that goes with it.
func newAssertionSigner(key crypto.Signer, alg jose.Algorithm, kid string) (*assertionSigner, error) {
	pinned := alg != ""
	if !pinned {
		p, err := jose.NewProofSigner(key, "", "") // knows what goes with a key
		if err != nil {
			return nil, fmt.Errorf("the private key cannot be used: %w", err)
		}
		alg = p.Key().Algorithm
	}
	main, err := jose.NewSigner(key, alg, kid, symbolon.TypClientAuthentication)
	if err != nil {
		return nil, fmt.Errorf("the private key cannot be used: %w", err)
	}
	s := &assertionSigner{main: main}
	if _, ok := key.Public().(*rsa.PublicKey); ok && !pinned {
		s.rs256, err = jose.NewSigner(key, jose.RS256, kid, symbolon.TypClientAuthentication)
	}
	return s, err
}

// sign takes RS256 only where a server offers that and not PS256.
func (s *assertionSigner) sign(payload []byte, offered []string) (string, error) {
	if s.rs256 != nil && slices.Contains(offered, string(jose.RS256)) && !slices.Contains(offered, string(jose.PS256)) {
		return s.rs256.Sign(payload)
	}
	return s.main.Sign(payload)
}

// assertion are the claims of RFC 7523 §3, in the form of
// draft-ietf-oauth-rfc7523bis: one audience, the issuer, as a string.
type assertion struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
}

// addAssertion adds a new assertion to the request.
func (r *tokenRequest) addAssertion(s *assertionSigner) error {
	if r.issuer == "" {
		return errNoAudience
	}
	r.timed = true
	if r.trial {
		return nil // a signature may be a request to a KMS
	}
	var id [16]byte
	rand.Read(id[:])
	payload, err := json.Marshal(assertion{
		Issuer: r.id, Subject: r.id, Audience: r.issuer, ID: jose.EncodeSegment(id[:]),
		IssuedAt: r.now.Unix(), Expiry: r.now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return err
	}
	text, err := s.sign(payload, r.algorithms)
	if err != nil {
		return fmt.Errorf("the private key does not sign: %w", err)
	}
	r.form.Set("client_id", r.id) // RFC 7521 §4.2: not needed, but there are servers that ask for it
	r.form.Set("client_assertion_type", symbolon.AssertionTypeJWT)
	r.form.Set("client_assertion", text)
	return nil
}
