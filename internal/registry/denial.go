package registry

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"
)

// DenialID is the id of a denial: it is made of what the denial names, so that
// a later one of the same thing takes the place of the earlier. The value that
// anybody may choose, a jti or an identifier, stands last: no colon in it can look like another
// denial's id.
func DenialID(d *Denial) string {
	parts := []string{d.What}
	switch d.What {
	case DenyClient:
		parts = append(parts, d.Client)
		if d.Issuer != "" {
			parts = append(parts, d.Issuer) // beside that of the whole client, whose n is another
		}
	case DenyClientAPI:
		parts = append(parts, d.Client, d.API)
		if d.Audience != "" {
			parts = append(parts, d.Audience) // an API made anew under its old id may have another identifier
		}
	case DenyIssuer:
		parts = append(parts, d.Issuer)
	case DenyCredential:
		parts = append(parts, d.Client, d.Credential)
	case DenyJTI:
		parts = append(parts, d.Issuer, d.JTI)
	case DenyKID:
		parts = append(parts, d.Issuer, d.KID)
	}
	id := strings.Join(parts, ":")
	if len(id) > MaxDenialID && d.What == DenyClientAPI {
		id = strings.Join(append(parts[:3], digestOf(d.Audience)), ":")
	}
	return id
}

// MaxDenialID is how long the id of a denial may be, in octets: databases bound
// ids, and access to an API with a long identifier can be taken away, too.
const MaxDenialID = 512

// digestOf stands for an identifier that is too long: it begins with the one
// character that none has.
func digestOf(identifier string) string {
	sum := sha256.Sum256([]byte(identifier))
	return "#" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// clockMargin is how much longer than the last token a denial is kept, for
// validators whose clocks are behind.
const clockMargin = 5 * time.Minute

// DenialExpires says until when a denial that is made now must be kept: until
// the last token that it concerns has expired. longest is the longest lifetime
// of a token that it may concern; maxStale is how long a node that has not
// heard of it may go on issuing.
func DenialExpires(now time.Time, longest, maxStale time.Duration) time.Time {
	return now.Add(longest + maxStale + clockMargin)
}
