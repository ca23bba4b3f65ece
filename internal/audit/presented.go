package audit

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Presented is a client assertion or a DPoP proof that was good for one token. In
// JSON it is a string: the digest in base64url, a dot, and the expiry in seconds
// since 1970, rounded up.
type Presented struct {
	Key     [32]byte // digest of what identifies it
	Expires time.Time
}

// MaxPresented is how many a record can hold: a request has one assertion and one
// proof at most.
const MaxPresented = 2

// MarshalText writes the form of the record.
func (p Presented) MarshalText() ([]byte, error) { return p.append(nil), nil }

func (p Presented) append(dst []byte) []byte {
	dst = base64.RawURLEncoding.AppendEncode(dst, p.Key[:])
	seconds := p.Expires.Unix()
	if p.Expires.Nanosecond() > 0 {
		seconds++ // never forgotten too early
	}
	return strconv.AppendInt(append(dst, '.'), seconds, 10)
}

var errPresented = errors.New("audit: not a digest and its expiry")

// UnmarshalText reads it.
func (p *Presented) UnmarshalText(text []byte) error {
	digest, expires, found := strings.Cut(string(text), ".")
	seconds, err := strconv.ParseInt(expires, 10, 64)
	raw, err2 := base64.RawURLEncoding.Strict().DecodeString(digest)
	if !found || err != nil || err2 != nil || len(raw) != len(p.Key) {
		return errPresented
	}
	p.Key, p.Expires = [32]byte(raw), time.Unix(seconds, 0)
	return nil
}

func appendPresented(dst []byte, list []Presented) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(dst, `,"presented":[`...)
	for i, p := range list[:min(len(list), MaxPresented)] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(p.append(append(dst, '"')), '"')
	}
	return append(dst, ']')
}
