package server

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
	"github.com/symbolon/symbolon/internal/registry"
)

var contentIntrospection = []string{symbolon.MediaIntrospection}

// signedAnswer is the payload of RFC 9701 §5. It has neither sub nor exp, so that
// it looks like no token.
type signedAnswer struct {
	Issuer   string          `json:"iss"`
	Audience string          `json:"aud"` // the client that asked
	IssuedAt int64           `json:"iat"`
	Answer   json.RawMessage `json:"token_introspection"`
}

// signAnswer makes a JWT of the answer in c.out (RFC 9701 §5).
func (s *Server) signAnswer(c *call, apis []*registry.API) error {
	signer, err := s.answerSigner(c, apis)
	if err != nil {
		return err
	}
	payload, err := json.Marshal(signedAnswer{c.Issuer.Iss, c.record.Client, c.now.Unix(), c.out})
	if err != nil {
		return err
	}
	// It says more than the token that it is about, which may be as long as tokens get.
	text, err := signer.SignDocument(payload, 2*symbolon.MaxToken)
	if err != nil {
		return errNoSigner.WithCause(err)
	}
	c.out = append(c.out[:0], text...)
	c.contentType = contentIntrospection
	return nil
}

// answerSigner finds the key: of the algorithm of the API that asks, where its
// tokens are signed, so that it needs no other than for them. apis are those of
// the token; of a token that is not active it is told by the client alone.
func (s *Server) answerSigner(c *call, apis []*registry.API) (*jose.Signer, error) {
	const name, clause = "key", "RFC 9701 §5"
	if len(apis) == 0 {
		apis = c.Issuer.Serves(c.record.Client)
	}
	alg := c.Issuer.Algorithms()[0]
	if len(apis) > 0 && !apis[0].Opaque() {
		alg = apis[0].SigningAlgorithm()
	}
	key := keys.Active(c.Issuer.Keys[alg], c.now)
	if key == nil {
		c.trace.Fail(name, clause, "an active key for "+string(alg), "none", "symbolon key list, and rotate")
		return nil, errNoSigner.WithCause(fmt.Errorf("issuer %s has no active key for %s", c.Issuer.ID, alg))
	}
	signer, err := s.cfg.Ring.Signer(key, symbolon.TypIntrospection)
	if err != nil {
		c.trace.Fail(name, clause, "a key that opens", key.ID, "check the master key of this node")
		return nil, errNoSigner.WithCause(err)
	}
	c.trace.OK(name, clause, string(alg), key.ID)
	return signer, nil
}

// wantsSigned reports whether the lines of Accept ask for a signed answer
// (RFC 9701 §4): they name its type, and do not like plain JSON more. RFC 9110
// §12.5.1: of ranges that plain JSON is in, the most specific one counts. Any other
// header gets plain JSON.
func wantsSigned(accept []string) bool {
	signed := 0.0
	plain := [...]float64{-1, -1, -1} // of application/json, application/*, */*; -1: not named
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			media, parameters, _ := strings.Cut(item, ";")
			q := quality(parameters)
			switch strings.ToLower(strings.Trim(media, " \t")) {
			case symbolon.MediaIntrospection:
				signed = max(signed, q)
			case "application/json":
				plain[0] = max(plain[0], q)
			case "application/*":
				plain[1] = max(plain[1], q)
			case "*/*":
				plain[2] = max(plain[2], q)
			}
		}
	}
	for _, q := range plain {
		if q >= 0 {
			return signed > 0 && signed >= q
		}
	}
	return signed > 0
}

// quality is the weight among the parameters of a media range; 1 without one, 0
// for one that cannot be read.
func quality(parameters string) float64 {
	for one := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.Trim(one, " \t"), "=")
		if !strings.EqualFold(name, "q") {
			continue
		}
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
