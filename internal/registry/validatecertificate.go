package registry

import (
	"net/netip"
	"strings"

	"github.com/symbolon/symbolon/internal/jose"
)

// forms names the subject forms that a certificate credential has: one, when it
// is valid.
func (c *Certificate) forms() []string {
	var forms []string
	for _, f := range []struct{ name, value string }{{"subject_dn", c.SubjectDN}, {"san_dns", c.SANDNS}, {"san_uri", c.SANURI},
		{"san_ip", c.SANIP}, {"san_email", c.SANEmail}, {"pem", c.PEM}} {
		if f.value != "" {
			forms = append(forms, f.name)
		}
	}
	return forms
}

const formFix = "give one of subject_dn, san_dns, san_uri, san_ip and san_email, or the client's own certificate"

// certificate wants exactly one subject form. RFC 8705 §2.1.2: "exactly one of
// the metadata parameters"; several at once would leave open whether all or any
// must fit.
func (p *problems) certificate(seen *seenCredentials, path string, c *Certificate) {
	forms := c.forms()
	switch {
	case len(forms) == 0:
		p.add(path, "it does not say what the certificate must be", formFix)
		return
	case len(forms) > 1:
		p.add(path, "more than one of "+strings.Join(forms, ", "), formFix+"; another credential may have another")
		return
	}
	path = at(path, forms[0])
	message, fix := c.checkForm(forms[0])
	if message != "" {
		p.add(path, message, fix)
		return
	}
	what := [2]string{"name", "name each once"}
	if c.PEM != "" {
		what = [2]string{"certificate", "make a new certificate for a new key pair"}
	}
	p.value(seen, path, c.Digest(), what)
}

func (c *Certificate) checkForm(form string) (message, fix string) {
	switch form {
	case "pem":
		return checkOwnCertificate(c.PEM)
	case "subject_dn":
		if _, err := ParseDN(c.SubjectDN); err != nil {
			return "not a distinguished name: " + err.Error(),
				"write it as `openssl x509 -noout -subject -nameopt RFC2253 -in FILE` prints it behind subject=, for example CN=billing,O=Example,C=DE"
		}
	case "san_dns":
		if !validHostname(c.SANDNS) {
			return "not a DNS name", "write for example billing.example.com; a wildcard names no single client"
		}
	case "san_uri":
		if len(c.SANURI) > maxURI || !absoluteURI(c.SANURI) {
			return "not an absolute URI without fragment", "write for example spiffe://example.com/billing"
		}
	case "san_ip":
		if addr, err := netip.ParseAddr(c.SANIP); err != nil || addr.Zone() != "" {
			return "not an IP address", "write for example 192.0.2.7 or 2001:db8::7"
		}
	case "san_email":
		if !validEmail(c.SANEmail) {
			return "not an e-mail address", "write it as billing@example.com"
		}
	}
	return "", ""
}

// validHostname takes letters, digits and hyphens in labels divided by dots, as
// RFC 5280 §4.2.1.6 wants a dNSName.
func validHostname(text string) bool {
	if text == "" || len(text) > 253 {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return r != '-' && r != '_' && (!unreserved(r) || r == '.' || r == '~') }) {
			return false
		}
	}
	return true
}

func validEmail(text string) bool {
	local, domain, ok := strings.Cut(text, "@")
	return ok && local != "" && len(text) <= maxName && validHostname(domain) &&
		!strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>,;", r) })
}

// checkOwnCertificate says what is wrong with a certificate that a client made
// itself. Its key is held to the same rules as a key without a certificate.
func checkOwnCertificate(text string) (message, fix string) {
	const again = "give one certificate as PEM; `symbolon keygen NAME --cert` makes a key pair with one"
	if len(text) > jose.MaxKey {
		return "too long", again
	}
	if _, err := jose.ParsePublicPEM([]byte(text)); err != nil {
		return strings.TrimPrefix(err.Error(), "jose: "), again
	}
	if (&Certificate{PEM: text}).X509() == nil {
		return "not a certificate", again
	}
	return "", ""
}
