package dpop

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// Times of proofs.
const (
	// DefaultWindow is the age up to which a proof is accepted where no other is set
	// (RFC 9449 §11.1: seconds or minutes).
	DefaultWindow = 60 * time.Second
	// MaxAhead is how far ahead of our clock a proof's iat may be. FAPI 2.0 Security Profile
	// §5.3.2.1: 10 s must be accepted and more than 60 s refused; this is well inside, so that
	// neither depends on parts of a second.
	MaxAhead = 30 * time.Second
	// Overlap is how much longer than it is accepted a proof is remembered, for nodes whose
	// clocks differ and for a clock that is set back.
	Overlap = 10 * time.Second
)

// maxID bounds jti, in bytes: RFC 9449 §11.1 lets a server refuse what is too large to keep.
const maxID = 256

// Proof is a proof that was checked by [Check], which leaves its nonce and whether it was
// presented before to the caller.
type Proof struct {
	Thumbprint string // of its key, to compare with cnf.jkt (RFC 9449 §6.1)
	ID         string // jti
	Nonce      string // "" when absent
	HTU        string // normalised, see [NormalizeURL]
	key        *jose.Key
	Algorithm  jose.Algorithm
	IssuedAt   time.Time

	ReplayKey [32]byte  // what [Replay] knows it by: the same for every spelling of its htu
	Expires   time.Time // until when [Replay] must know it
}

// Expectation is what a proof is compared with.
type Expectation struct {
	Method      string           // of the request, as it stands in it
	URLs        []string         // of the request, by [NormalizeURL]: one of them must be the htu
	AccessToken string           // of the request, whose hash must be ath; "" where none is presented
	Now         time.Time        // the current time
	Window      time.Duration    // age up to which a proof is accepted; 0: DefaultWindow
	Algorithms  []jose.Algorithm // nil: DefaultAlgorithms
	Keys        *Keys            // keys that were read before; nil: none are remembered
	Trace       *symbolon.Trace  // takes each step; nil: none
}

// String tells the method alone, not the token.
func (e Expectation) String() string { return "dpop.Expectation(" + e.Method + ")" }

// Format is String under every verb.
func (e Expectation) Format(f fmt.State, _ rune) { io.WriteString(f, e.String()) }

// LogValue is String for slog.
func (e Expectation) LogValue() slog.Value { return slog.StringValue(e.String()) }

// DefaultAlgorithms are the algorithms of proofs, for dpop_signing_alg_values_supported.
func DefaultAlgorithms() []jose.Algorithm { return jose.SigningAlgorithms() }

var defaultAlgorithms = jose.SigningAlgorithms()

// Check reads the values of a request's DPoP header fields and compares the one proof that
// must be there with e, in the order of RFC 9449 §4.3. Every error is a *symbolon.Error of
// code invalid_dpop_proof. The nonce, the binding of the token to the proof's key and
// whether the proof was presented before are the caller's to check, in this order.
func Check(header []string, e Expectation) (*Proof, error) {
	c := checker{Expectation: e}
	if err := c.run(header); err != nil {
		return nil, err // never a nil *symbolon.Error in an error
	}
	p := c.proof // the checker itself stays on the stack
	return &p, nil
}

// checker holds what the steps of one check share.
type checker struct {
	Expectation
	token  jose.Proof
	claims claims
	proof  Proof

	remembered bool // the key was known before
}

// run takes the steps, by name: through a list of functions all that they touch would have to
// be allocated.
func (c *checker) run(header []string) *symbolon.Error {
	if err := c.single(header); err != nil {
		return err
	}
	if err := c.typ(); err != nil {
		return err
	}
	if err := c.algorithm(); err != nil {
		return err
	}
	if err := c.key(); err != nil {
		return err
	}
	if err := c.signature(); err != nil {
		return err
	}
	if err := c.content(); err != nil {
		return err
	}
	if err := c.method(); err != nil {
		return err
	}
	if err := c.url(); err != nil {
		return err
	}
	if err := c.times(); err != nil {
		return err
	}
	if err := c.accessToken(); err != nil {
		return err
	}
	p := &c.proof
	p.ReplayKey = replayKey(p.Thumbprint, p.ID, p.HTU)
	p.Expires = p.IssuedAt.Add(c.window() + Overlap)
	return nil
}

// single: RFC 9449 §4.3 steps 1 and 2.
func (c *checker) single(header []string) *symbolon.Error {
	const want = "one DPoP header field with one signed JWT"
	var err error
	var refused *symbolon.Error
	switch {
	case len(header) == 0 || len(header) == 1 && header[0] == "":
		refused = errNone
	case len(header) > 1:
		refused = errSeveral
	default:
		err = c.token.Read(header[0])
		refused = refusal(err)
	}
	if refused == nil {
		c.ok("proof form", want, "")
		return nil
	}
	got := strconv.Itoa(len(header)) + " fields"
	if err != nil {
		got = err.Error()
	}
	return c.fail("proof form", want, got, refused.WithCause(err))
}

// typ: RFC 9449 §4.3 step 4, exactly: a proof is nothing that is made by hand, and no other
// kind of token has this typ (RFC 8725 §3.11).
func (c *checker) typ() *symbolon.Error {
	got := c.token.Header.Type
	if got != symbolon.TypDPoPProof {
		return c.fail("proof type", symbolon.TypDPoPProof, c.quoted(got), errType)
	}
	c.ok("proof type", symbolon.TypDPoPProof, got)
	return nil
}

// algorithm: RFC 9449 §4.3 step 5. That it is asymmetric and not none is known already.
func (c *checker) algorithm() *symbolon.Error {
	allowed := c.Algorithms
	if allowed == nil {
		allowed = defaultAlgorithms
	}
	c.proof.Algorithm = c.token.Header.Algorithm
	if !slices.Contains(allowed, c.proof.Algorithm) {
		return c.fail("proof algorithm", "an algorithm of the list", string(c.proof.Algorithm), errAlgorithm)
	}
	c.ok("proof algorithm", "an algorithm of the list", string(c.proof.Algorithm))
	return nil
}

// key: RFC 9449 §4.3 step 7, before the signature is computed with it.
func (c *checker) key() *symbolon.Error {
	const want = "a public key in jwk"
	known, ok := c.Keys.find(c.token.KeyText())
	if !ok {
		key, err := c.token.Key()
		if err != nil {
			return c.fail("proof key", want, err.Error(), refusal(err).WithCause(err))
		}
		known = knownKey{key, key.Thumbprint()}
	}
	c.proof.key, c.proof.Thumbprint, c.remembered = known.key, known.thumbprint, ok
	c.ok("proof key", want, c.proof.Thumbprint)
	return nil
}

// signature: RFC 9449 §4.3 step 6.
func (c *checker) signature() *symbolon.Error {
	const want = "a signature of the key in jwk"
	if err := c.token.Verify(c.proof.key); err != nil {
		refused := errSignature
		if errors.Is(err, jose.ErrAlgorithm) {
			refused = errAlgorithm
		}
		return c.fail("proof signature", want, err.Error(), refused.WithCause(err))
	}
	if !c.remembered {
		c.Keys.add(c.token.KeyText(), knownKey{c.proof.key, c.proof.Thumbprint})
	}
	c.ok("proof signature", want, "")
	return nil
}

// content: RFC 9449 §4.3 step 3.
func (c *checker) content() *symbolon.Error {
	const want = "jti, htm, htu and iat of the right types"
	if err := c.claims.read(c.token.Payload); err != nil {
		refused := errClaims
		if errors.Is(err, jose.ErrNotDate) {
			refused = errIssuedAt
		}
		return c.fail("proof claims", want, err.Error(), refused.WithCause(err))
	}
	if err := c.claims.complete(); err != nil {
		return c.fail("proof claims", want, "no "+err.missing, err.refused)
	}
	c.proof.ID, c.proof.Nonce = string(c.claims.id), string(c.claims.nonce)
	c.ok("proof claims", want, "")
	return nil
}

// method: RFC 9449 §4.3 step 8. Methods have a case (RFC 9110 §9.1).
func (c *checker) method() *symbolon.Error {
	if string(c.claims.method) != c.Method {
		return c.fail("proof method", c.quoted(c.Method), c.quotedText(c.claims.method), errMethod)
	}
	c.ok("proof method", c.quoted(c.Method), c.quoted(c.Method))
	return nil
}

// url: RFC 9449 §4.3 step 9.
func (c *checker) url() *symbolon.Error {
	for _, known := range c.URLs {
		if string(c.claims.url) == known { // as nearly all clients spell it
			c.proof.HTU = known
		}
	}
	if c.proof.HTU == "" {
		htu, err := NormalizeURL(string(c.claims.url))
		if err != nil {
			return c.fail("proof url", c.quoted(c.URLs...), err.Error(), errURL.WithCause(err))
		}
		if !slices.Contains(c.URLs, htu) {
			return c.fail("proof url", c.quoted(c.URLs...), c.quoted(htu), errURL)
		}
		c.proof.HTU = htu
	}
	c.ok("proof url", c.quoted(c.URLs...), c.quoted(c.proof.HTU))
	return nil
}

// times: RFC 9449 §4.3 step 11, RFC 7519 §4.1.4 and §4.1.5.
func (c *checker) times() *symbolon.Error {
	iat, now := c.claims.issuedAt, c.Now
	earliest, latest := now.Add(-c.window()), now.Add(MaxAhead)
	var refused *symbolon.Error
	got := "iat " + c.stamp(iat)
	switch {
	case iat.Before(earliest):
		refused = errOld
	case iat.After(latest):
		refused = errAhead
	case c.claims.hasExpiry && !now.Before(c.claims.expiry):
		refused, got = errExpired, "exp "+c.stamp(c.claims.expiry)
	case c.claims.notBefore.After(latest):
		refused, got = errNotYet, "nbf "+c.stamp(c.claims.notBefore)
	}
	if refused != nil {
		return c.fail("proof time", "iat from "+c.stamp(earliest)+" to "+c.stamp(latest), got, refused)
	}
	c.proof.IssuedAt = iat
	c.ok("proof time", "an iat of about now", got)
	return nil
}

// accessToken: RFC 9449 §4.3 step 12, its first half.
func (c *checker) accessToken() *symbolon.Error {
	if c.AccessToken == "" {
		return nil // nothing is presented; what the proof says of a token matters to nobody
	}
	const want = "ath is the hash of the access token"
	var space [hashText]byte
	switch {
	case len(c.claims.tokenHash) == 0:
		return c.fail("proof token", want, "no ath", errNoTokenHash)
	case subtle.ConstantTimeCompare(c.claims.tokenHash, appendTokenHash(space[:0], c.AccessToken)) != 1:
		return c.fail("proof token", want, "the hash of something else", errTokenHash)
	}
	c.ok("proof token", want, "")
	return nil
}

func (c *checker) window() time.Duration {
	if c.Window == 0 {
		return DefaultWindow
	}
	return c.Window
}
