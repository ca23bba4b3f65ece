package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
)

// advise adds a line with the way out to what a token endpoint refused: the
// option that is missing here, or else what tells the server's operator why; and
// to a certificate that nobody here trusts, who could be trusted, and how.
func (k *asker) advise(err error) error {
	if unknown := new(x509.UnknownAuthorityError); errors.As(err, unknown) {
		return fmt.Errorf("%w\nsymbolon: if it is certified by an authority of your own, name the file with its certificate in the environment, as SSL_CERT_FILE=ca.pem", err)
	}
	var e *symbolon.Error
	if !errors.As(err, &e) {
		return err
	}
	if option := k.missing(e.Code, e.Description); option != "" {
		return fmt.Errorf("%w\nsymbolon: %s", err, option)
	}
	// Servers of other makes have ids of other forms, and no such command.
	if admin.LooksLikeRequestID(e.RequestID) {
		return fmt.Errorf("%w\nsymbolon: its operator sees why with: symbolon explain %s", err, e.RequestID)
	}
	return err
}

// missing is what a refusal asks for that no option has given: a DPoP proof, or
// a certificate. code is "" for an API's. The code alone does not tell; the words
// are for people, and one reads them here.
func (k *asker) missing(code symbolon.Code, words string) string {
	const (
		proof       = "--dpop, which binds the token to a key that is made for this run, or --dpop-key FILE"
		certificate = "--cert FILE and --cert-key FILE"
	)
	wants := func(what string) bool {
		// Of a server that is not reached for its own certificate this is not said.
		return (code == symbolon.InvalidRequest || code == "") && strings.Contains(words, what)
	}
	asksProof := !k.proves && (code == symbolon.UseDPoPNonce || code == symbolon.InvalidDPoPProof ||
		wants("DPoP proof") || strings.Contains(words, "Config.DPoP"))
	asksCertificate := !k.presents && wants("certificate")
	switch {
	case asksProof && asksCertificate:
		return "repeat it with " + proof + "; or with " + certificate
	case asksProof:
		return "repeat it with " + proof
	case asksCertificate:
		return "repeat it with " + certificate
	}
	return ""
}

// refusedBy says what the API's refusal says of the token.
func (k *asker) refusedBy(resp *http.Response) error {
	text := "the API answered " + printable(resp.Status)
	challenge := spokenChallenge(resp.Header.Values("WWW-Authenticate"))
	if challenge == "" {
		return errors.New(text)
	}
	text += "; " + printable(challenge)
	if option := k.missing("", challenge); option != "" && resp.StatusCode == http.StatusUnauthorized {
		text += "\nsymbolon: " + option
	}
	return errors.New(text)
}

// spokenChallenge is the one that says what is wrong: an API that takes several
// schemes says it in that of the scheme that was used (RFC 9449 §7.2).
func spokenChallenge(challenges []string) string {
	for _, c := range challenges {
		if strings.Contains(c, "error=") {
			return c
		}
	}
	if len(challenges) > 0 {
		return challenges[0]
	}
	return ""
}
