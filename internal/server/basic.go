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
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimLeft(rest, " "))
	if err != nil {
		return "", "", errBasic
	}
	id, secret, found := strings.Cut(string(raw), ":")
	if !found {
		return "", "", errBasic
	}
	id, err1 := url.QueryUnescape(id)
	secret, err2 := url.QueryUnescape(secret)
	if err1 != nil || err2 != nil || id == "" || !printable(id) || !printable(secret) {
		return "", "", errBasic
	}
	return id, secret, nil
}
