package client

import (
	"log/slog"
	"net/http"
	"time"
)

// Token is an access token. It is never changed, so it may be shared. It
// prints without its value.
type Token struct {
	Type   string    // "Bearer", or "DPoP"
	Scopes []string  // what the server granted
	Expiry time.Time // by the client's clock, from the moment of asking

	value *string // behind a pointer: a struct around it that prints its fields prints an address
	life  time.Duration
	shown *shown // the certificate that it was asked for with; nil: none
}

// Value is the token as it goes over the wire. It is a secret: whoever has it
// is the client until Expiry.
func (t *Token) Value() string { return *t.value }

// SetAuthHeader puts the token into the request (RFC 6750 §2.1, RFC 9449 §7.1).
// One of type DPoP needs a proof for each request too: let HTTP or Transport
// send it. One that is bound to a certificate goes over a connection with it.
func (t *Token) SetAuthHeader(r *http.Request) { r.Header.Set("Authorization", t.header()) }

func (t *Token) header() string { return t.Type + " " + *t.value }

// String tells the type and the expiry.
func (t *Token) String() string {
	return "client.Token(" + t.Type + ", expires " + t.Expiry.UTC().Format(time.RFC3339) + ", [redacted])"
}

// GoString is String: %#v must not print a token either.
func (t *Token) GoString() string { return t.String() }

// LogValue is String for slog.
func (t *Token) LogValue() slog.Value { return slog.StringValue(t.String()) }
