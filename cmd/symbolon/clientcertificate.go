package main

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

func newCertificateCmd(k kind[admin.Client]) *cobra.Command {
	return group("certificate", "Certificates of a client: add, revoke, remove",
		`A client may prove who it is by the certificate of its TLS connection (RFC 8705):
by a name that a certificate of a trusted authority says, or by a certificate
that it made itself, which is then compared whole.`,
		"  symbolon client certificate add billing --subject-dn \"CN=billing,O=Example\"\n  symbolon client certificate list billing",
		addCertificateCmd(k), listCertificatesCmd(k), endCredentialCmd(k, credentialCertificate, "remove"), endCredentialCmd(k, credentialCertificate, "revoke"))
}

func addCertificateCmd(k kind[admin.Client]) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add CLIENT-ID",
		Short: "Say which certificate a client has",
		Long: `add says which certificate authenticates a client, in exactly one of these ways;
others that it has go on. Names are those of certificates that lead to the
server's client_ca; --pem-file takes the client's own certificate, without any
authority. A name (--subject-dn) is written as RFC 4514 wants it, which
--subject-dn-from reads from a certificate.`,
		Example: "  symbolon client certificate add billing --subject-dn \"CN=billing,O=Example,C=DE\"\n  symbolon client certificate add billing --san-dns billing.example.com --expires 365d\n  symbolon client certificate add billing --subject-dn-from billing.crt\n  symbolon client certificate add billing --pem-file billing.crt",
		Args:    exactArgs("CLIENT-ID"),
	}
	f := cmd.Flags()
	id, expires := f.String("id", "", "id of the credential (default: the next of c1, c2, …); an id is used once"), f.String("expires", "", "when it expires: 2027-01-01, or 90d")
	for _, form := range certificateForms {
		f.String(form.flag, "", form.usage)
	}
	from := f.String("subject-dn-from", "", "take the subject of the certificate in this file as --subject-dn")
	own := f.String("pem-file", "", "file with the certificate that the client made itself, as PEM")
	p := k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := certificateBody(cmd, *from, *own)
		if err != nil {
			return err
		}
		if *id != "" {
			body["id"] = *id
		}
		if err := k.when(body, *expires); err != nil {
			return err
		}
		var added admin.CertificateInfo
		if err := p.call(cmd.Context(), http.MethodPost, k.path+at(args[0], "certificates"), body, &added); err != nil {
			return err
		}
		return p.show(added, func(w io.Writer) {
			field(w, "client", args[0])
			field(w, "id", added.ID)
			field(w, "method", added.Method)
			field(w, "must be", certificateWords(added))
			field(w, "expires", moment(added.Expires))
		})
	}
	return cmd
}

// certificateForms are the flags of names, with the members that they stand for.
var certificateForms = []struct{ flag, member, usage string }{
	{"subject-dn", "subject_dn", "subject of the certificate, as CN=billing,O=Example"},
	{"san-dns", "san_dns", "a DNS name in the certificate"},
	{"san-uri", "san_uri", "a URI in the certificate, as spiffe://example.com/billing"},
	{"san-ip", "san_ip", "an IP address in the certificate"},
	{"san-email", "san_email", "a mail address in the certificate"},
}

// certificateBody reads the one form that flags give.
func certificateBody(cmd *cobra.Command, from, own string) (map[string]any, error) {
	body := map[string]any{}
	for _, form := range certificateForms {
		if text, _ := cmd.Flags().GetString(form.flag); text != "" {
			body[form.member] = text
		}
	}
	if from != "" {
		name, err := subjectOf(from)
		if err != nil {
			return nil, err
		}
		if _, twice := body["subject_dn"]; twice {
			return nil, usagef("give one of --subject-dn and --subject-dn-from")
		}
		body["subject_dn"] = name
	}
	if own != "" {
		text, err := publicFile("pem-file", own)
		if err != nil {
			return nil, err
		}
		body["pem"] = text
	}
	if len(body) != 1 {
		return nil, usagef("give exactly one of --subject-dn, --subject-dn-from, --san-dns, --san-uri, --san-ip, --san-email and --pem-file")
	}
	return body, nil
}

// subjectOf is the subject of the certificate in a file, as RFC 4514 writes it.
func subjectOf(path string) (string, error) {
	text, err := publicFile("subject-dn-from", path)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return "", fmt.Errorf("--subject-dn-from: %s holds no certificate in PEM", printable(path))
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("--subject-dn-from: the certificate in %s cannot be read", printable(path))
	}
	name, err := registry.ReadDN(cert.RawSubject)
	if err != nil {
		return "", fmt.Errorf("--subject-dn-from: the subject in %s cannot be compared: %w; use one of its alternative names", printable(path), err)
	}
	return name.String(), nil
}

func listCertificatesCmd(k kind[admin.Client]) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list CLIENT-ID",
		Short:   "List what a client's certificates must be, and their last use",
		Long:    "list prints the certificate credentials that a client has, with the time of their\nlast use (at other servers within some seconds).",
		Example: "  symbolon client certificate list billing",
		Args:    exactArgs("CLIENT-ID"),
	}
	p := k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		all := []admin.CertificateInfo{}
		if err := p.call(cmd.Context(), http.MethodGet, k.path+at(args[0], "certificates"), nil, &all); err != nil {
			return err
		}
		return p.show(all, func(w io.Writer) {
			row(w, "ID", "METHOD", "MUST BE", "CREATED", "EXPIRES", "LAST USED")
			for _, c := range all {
				row(w, c.ID, c.Method, certificateWords(c), moment(c.Created), moment(c.Expires), moment(c.LastUsed))
			}
		})
	}
	return cmd
}

// certificateWords says what a certificate must be.
func certificateWords(c admin.CertificateInfo) string {
	for _, form := range []struct{ word, value string }{{"subject_dn ", c.SubjectDN}, {"san_dns ", c.SANDNS}, {"san_uri ", c.SANURI}, {"san_ip ", c.SANIP}, {"san_email ", c.SANEmail}} {
		if form.value != "" {
			return form.word + form.value
		}
	}
	return "x5t#S256 " + c.Thumbprint + ", " + cmp.Or(c.Subject, "no subject") + ", valid until " + moment(c.NotAfter)
}
