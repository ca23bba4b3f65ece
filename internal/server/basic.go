package server

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
)

// errBasic says what is wrong with the header's form, which is no secret: no
// client has been looked at yet.
var errBasic = symbolon.NewError(symbolon.InvalidRequest,
	"the Authorization header is not well-formed; send Basic and the base64 of client_id:client_secret, each form-urlencoded first")

// Private causes of an invalid_client that is found before any client is looked
// at. Its body is the same as that of every other.
var (
	errScheme           = errors.New("the Authorization header has another scheme than Basic")
	errNoAuthentication = errors.New("the request has no client authentication")
	errClaimed          = errors.New("the request has no client authentication; a header claims a certificate, but not from a trusted proxy")
)

// parseBasic reads a Basic Authorization header. RFC 6749 §2.3.1: both parts
// are form-urlencoded before they are joined, and so are decoded after.
func parseBasic(header string) (id, secret string, err error) {
	id, written, err := basicParts(header)
	if err != nil {
		return "", "", err
	}
	secret, err = url.QueryUnescape(written)
	if err != nil || !printable(secret) {
		return "", "", errBasic
	}
	return id, secret, nil
}

// parseRawBasic is parseBasic where the secret may also stand there as it is:
// other is that reading, "" where there are not two. The id has one reading, for
// what an id may be made of needs no encoding.
func parseRawBasic(header string) (id, secret, other string, err error) {
	id, written, err := basicParts(header)
	switch {
	case err != nil:
		return "", "", "", err
	case !printable(written):
		return "", "", "", errBasic
	}
	secret, err = url.QueryUnescape(written)
	switch {
	case err != nil || !printable(secret):
		return id, written, "", nil
	case secret == written:
		return id, secret, "", nil
	}
	return id, secret, written, nil
}

// basicParts takes a Basic Authorization header apart: the client's id, and the
// secret as it was written.
func basicParts(header string) (id, written string, err error) {
	scheme, rest, _ := strings.Cut(header, " ")
	// RFC 9110 §11.1: the scheme's case does not matter. Any other scheme is an
	// attempt that failed, never one that is passed over.
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", registry.ErrClient.WithCause(errScheme)
	}
	// encoding/base64 skips line breaks, Strict or not.
	if strings.ContainsAny(rest, "\r\n") {
		return "", "", errBasic
	}
	text, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(rest, " "))
	if err != nil {
		return "", "", errBasic
	}
	id, written, found := strings.Cut(string(text), ":")
	if !found {
		return "", "", errBasic
	}
	if id, err = url.QueryUnescape(id); err != nil || id == "" || !printable(id) {
		return "", "", errBasic
	}
	return id, written, nil
}
