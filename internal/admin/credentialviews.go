package admin

import (
	"encoding/json"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/registry"
)

// KeyInfo is a credential of the kind key as it is shown. An assertion names it
// by ID, KeyID or Thumbprint.
type KeyInfo struct {
	ID         string    `json:"id"`
	KeyID      string    `json:"kid,omitempty" doc:"The JWK's own kid"`
	Algorithm  string    `json:"algorithm,omitempty" doc:"Absent for an RSA key that is pinned to none"`
	Thumbprint string    `json:"thumbprint" doc:"RFC 7638"`
	Created    time.Time `json:"created,omitzero"`
	Expires    time.Time `json:"expires,omitzero"`
	LastUsed   time.Time `json:"last_used,omitzero" doc:"Of uses at other nodes within some seconds; absent when it was never used"`

	// JWK is the public key, for the dialects whose vendors show it.
	JWK json.RawMessage `json:"-"`
}

// KeysURIInfo is a jwks_uri as the one credential that it is.
type KeysURIInfo struct {
	ID       string    `json:"id"`
	LastUsed time.Time `json:"last_used,omitzero" doc:"Of uses at other nodes within some seconds; absent when it was never used"`
}

// CertificateInfo is a credential of the kind certificate as it is shown. Method
// is the authentication method that it is for. Of a client's own certificate
// Subject, Thumbprint and the end of its validity are told.
type CertificateInfo struct {
	ID         string    `json:"id"`
	Method     string    `json:"method"`
	SubjectDN  string    `json:"subject_dn,omitempty"`
	SANDNS     string    `json:"san_dns,omitempty"`
	SANURI     string    `json:"san_uri,omitempty"`
	SANIP      string    `json:"san_ip,omitempty"`
	SANEmail   string    `json:"san_email,omitempty"`
	Subject    string    `json:"subject,omitempty" doc:"Of the client's own certificate (RFC 4514)"`
	Thumbprint string    `json:"x5t#S256,omitempty" doc:"Of the client's own certificate (RFC 8705 §3.1)"`
	NotAfter   time.Time `json:"not_after,omitzero" doc:"Of the client's own certificate"`
	Created    time.Time `json:"created,omitzero"`
	Expires    time.Time `json:"expires,omitzero"`
	LastUsed   time.Time `json:"last_used,omitzero" doc:"Of uses at other nodes within some seconds; absent when it was never used"`
}

func showKeys(c *registry.Client, used map[string]time.Time) []KeyInfo {
	out := []KeyInfo{}
	for i := range c.Keys {
		k := &c.Keys[i]
		info := KeyInfo{ID: k.ID, Created: k.Created, Expires: k.Expires, LastUsed: used[k.ID], JWK: k.JWK}
		if key := k.Key(); key != nil {
			info.KeyID, info.Algorithm, info.Thumbprint = key.ID, string(key.Algorithm), key.Thumbprint()
		}
		out = append(out, info)
	}
	return out
}

func showKeysURI(c *registry.Client, used map[string]time.Time) *KeysURIInfo {
	if c.JWKSURI == "" {
		return nil
	}
	id := registry.JWKSURICredential(c.JWKSURI)
	return &KeysURIInfo{ID: id, LastUsed: used[id]}
}

func showCertificates(c *registry.Client, used map[string]time.Time) []CertificateInfo {
	out := []CertificateInfo{}
	for i := range c.Certificates {
		one := &c.Certificates[i]
		info := CertificateInfo{ID: one.ID, Method: one.Method(), SubjectDN: one.SubjectDN, SANDNS: one.SANDNS, SANURI: one.SANURI,
			SANIP: one.SANIP, SANEmail: one.SANEmail, Created: one.Created, Expires: one.Expires, LastUsed: used[one.ID]}
		if own := one.X509(); own != nil {
			info.Thumbprint, info.NotAfter = symbolon.CertificateThumbprint(own.Raw), own.NotAfter
			if name, err := registry.ReadDN(own.RawSubject); err == nil {
				info.Subject = name.String()
			}
		}
		out = append(out, info)
	}
	return out
}
