package registry

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"net/netip"
	"strings"

	"github.com/symbolon/symbolon"
)

// fits reports whether the leaf of a TLS connection is what the credential
// asks for: the very certificate of PEM (RFC 8705 §2.2), or the one subject form
// (RFC 8705 §2.1.2), which any entry of its kind in the certificate may have.
// The chain and the times of the leaf are not looked at.
func (c *Certificate) fits(leaf *x509.Certificate) bool {
	if leaf == nil {
		return false
	}
	switch {
	case c.PEM != "":
		own := c.X509()
		return own != nil && bytes.Equal(own.Raw, leaf.Raw)
	case c.SubjectDN != "":
		return c.name().equalDER(leaf.RawSubject)
	case c.SANDNS != "":
		return hasName(leaf, sanDNS, func(b []byte) bool { return strings.EqualFold(string(b), c.SANDNS) && isASCII(b) })
	case c.SANURI != "":
		return hasName(leaf, sanURI, func(b []byte) bool { return string(b) == c.SANURI })
	case c.SANIP != "":
		want, err := netip.ParseAddr(c.SANIP)
		return err == nil && hasName(leaf, sanIP, func(b []byte) bool {
			addr, ok := netip.AddrFromSlice(b)
			return ok && addr.Unmap() == want.Unmap()
		})
	case c.SANEmail != "":
		want := lowerDomain(c.SANEmail)
		return hasName(leaf, sanEmail, func(b []byte) bool { return isASCII(b) && lowerDomain(string(b)) == want })
	}
	return false
}

// name is SubjectDN, read; the zero DN when it is none.
func (c *Certificate) name() DN {
	if c.dn.rdns != nil {
		return c.dn
	}
	dn, _ := ParseDN(c.SubjectDN) // the zero DN equals nothing
	return dn
}

// Digest names what the credential asks for, whatever its id: the thumbprint of
// PEM, or the subject form with its value as it is compared. It is empty when
// there is none that could be read.
func (c *Certificate) Digest() string {
	switch {
	case c.PEM != "":
		if own := c.X509(); own != nil {
			return "x5t#S256:" + symbolon.CertificateThumbprint(own.Raw)
		}
	case c.SubjectDN != "":
		if dn := c.name(); dn.rdns != nil {
			return "subject_dn:" + dn.canonical()
		}
	case c.SANDNS != "":
		return "san_dns:" + strings.ToLower(c.SANDNS)
	case c.SANURI != "":
		return "san_uri:" + c.SANURI
	case c.SANIP != "":
		if addr, err := netip.ParseAddr(c.SANIP); err == nil {
			return "san_ip:" + addr.Unmap().String()
		}
	case c.SANEmail != "":
		return "san_email:" + lowerDomain(c.SANEmail)
	}
	return ""
}

// The tags of GeneralName that are compared (RFC 5280 §4.2.1.6).
const (
	sanEmail = 1
	sanDNS   = 2
	sanURI   = 6
	sanIP    = 7
)

var oidSAN = asn1.ObjectIdentifier{2, 5, 29, 17}

// hasName looks through the subject alternative names of one kind. It reads the
// extension itself: package x509 gives URIs taken apart, and put together again
// they are not always what was signed.
func hasName(leaf *x509.Certificate, tag int, fits func([]byte) bool) bool {
	for _, ext := range leaf.Extensions {
		if !ext.Id.Equal(oidSAN) {
			continue
		}
		var names []asn1.RawValue
		if rest, err := asn1.Unmarshal(ext.Value, &names); err != nil || len(rest) > 0 {
			return false
		}
		for _, n := range names {
			if n.Class == asn1.ClassContextSpecific && n.Tag == tag && !n.IsCompound && fits(n.Bytes) {
				return true
			}
		}
	}
	return false
}

func isASCII(b []byte) bool {
	_, ok := ascii(b)
	return ok
}

// lowerDomain lets the case of a mail address' domain not count; that of the
// part before it does (RFC 5280 §7.5).
func lowerDomain(email string) string {
	i := strings.LastIndexByte(email, '@')
	if i < 0 {
		return email
	}
	return email[:i] + strings.ToLower(email[i:])
}
