package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// credentialSort is a sort of credential, as commands speak of it.
type credentialSort struct {
	word    string // "key"; its path is the plural
	example string // an id
	left    func(admin.Client) int
}

var credentialSecret = credentialSort{
	word: "secret", example: "s1",
	left: func(c admin.Client) int { return len(c.Secrets) },
}

var credentialKey = credentialSort{
	word: "key", example: "k1",
	left: func(c admin.Client) int {
		n := len(c.Keys)
		if c.JWKSURI != "" {
			n++
		}
		return n
	},
}

var credentialCertificate = credentialSort{
	word: "certificate", example: "c1",
	left: func(c admin.Client) int { return len(c.Certificates) },
}

// maxPublicFile is more than any public key or certificate.
const maxPublicFile = 64 << 10

// publicFile reads the file that a flag names.
func publicFile(flag, path string) (string, error) {
	data, err := readLimited(path, maxPublicFile)
	if err != nil {
		return "", fmt.Errorf("--%s: %w; check its name and who may read it", flag, err)
	}
	if strings.Contains(string(data), "PRIVATE KEY-----") {
		return "", fmt.Errorf("--%s: %s holds a private key, which stays where it is; give the public one, as `openssl pkey -in FILE -pubout` prints it", flag, printable(path))
	}
	return string(data), nil
}

// when adds the expiry to a body.
func (a *app) when(body map[string]any, expires string) error {
	at, err := a.parseWhen("expires", expires, func(text string) (time.Duration, error) {
		d, err := registry.ParseDuration(text)
		return d.Std(), err
	})
	if err == nil && !at.IsZero() {
		body["expires"] = at
	}
	return err
}

func newClientKeyCmd(k kind[admin.Client]) *cobra.Command {
	return group("key", "Public keys of a client: add, revoke, remove",
		`A client that has a key signs what proves who it is (private_key_jwt, RFC 7523):
no secret crosses the wire, and there is none to leak here. Several keys live at
once: add the new one, move the program to it, watch the last use of the old one,
and remove that. A client may publish its keys instead: client update --jwks-uri.`,
		"  symbolon keygen billing\n  symbolon client key add billing --pem-file billing.pub\n  symbolon client key list billing",
		addKeyCmd(k), listClientKeysCmd(k), endCredentialCmd(k, credentialKey, "remove"), endCredentialCmd(k, credentialKey, "revoke"))
}

// keyBody reads the public key that flags name; nil when none does.
func keyBody(pemFile, jwkFile string) (map[string]any, error) {
	switch {
	case pemFile != "" && jwkFile != "":
		return nil, usagef("give one of --pem-file and --jwk-file")
	case pemFile != "":
		text, err := publicFile("pem-file", pemFile)
		return map[string]any{"pem": text}, err
	case jwkFile != "":
		text, err := publicFile("jwk-file", jwkFile)
		if err != nil {
			return nil, err
		}
		jwk, err := registry.PublicJWK([]byte(strings.TrimSpace(text)))
		if err != nil {
			return nil, fmt.Errorf("--jwk-file: %s holds no public JWK that can be used: %s", printable(jwkFile), strings.TrimPrefix(err.Error(), "jose: "))
		}
		return map[string]any{"jwk": jwk}, nil
	}
	return nil, nil
}

func addKeyCmd(k kind[admin.Client]) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add CLIENT-ID",
		Short: "Give a client one more public key",
		Long: `add gives a client one more public key; the others go on. An assertion names it in
its header kid: by the id here, by the JWK's own kid, or by its thumbprint.`,
		Example: "  symbolon client key add billing --pem-file billing.pub --expires 365d\n  symbolon client key add billing --id k7 --jwk-file billing.jwk",
		Args:    exactArgs("CLIENT-ID"),
	}
	f := cmd.Flags()
	id, expires := f.String("id", "", "id of the key (default: the next of k1, k2, …); an id is used once"), f.String("expires", "", "when it expires: 2027-01-01, or 90d")
	pemFile := f.String("pem-file", "", "file with the public key, or a certificate with it, as PEM")
	jwkFile := f.String("jwk-file", "", "file with the public key as a JWK")
	p := k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := keyBody(*pemFile, *jwkFile)
		if err != nil {
			return err
		}
		if body == nil {
			return usagef("give the public key: --pem-file or --jwk-file; symbolon keygen makes a key pair")
		}
		if *id != "" {
			body["id"] = *id
		}
		if err := k.when(body, *expires); err != nil {
			return err
		}
		var added admin.KeyInfo
		if err := p.call(cmd.Context(), http.MethodPost, k.path+at(args[0], "keys"), body, &added); err != nil {
			return err
		}
		return p.show(added, func(w io.Writer) {
			field(w, "client", args[0])
			field(w, "id", added.ID)
			field(w, "kid", added.KeyID)
			field(w, "algorithm", added.Algorithm)
			field(w, "thumbprint", added.Thumbprint)
			field(w, "expires", moment(added.Expires))
		})
	}
	return cmd
}

func listClientKeysCmd(k kind[admin.Client]) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list CLIENT-ID",
		Short: "List a client's public keys and their last use",
		Long: `list prints the public keys that a client has, with the time of their last use
(at other servers within some seconds). Keys behind a jwks_uri are one credential:
client show tells its id and last use.`,
		Example: "  symbolon client key list billing",
		Args:    exactArgs("CLIENT-ID"),
	}
	p := k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		keys := []admin.KeyInfo{}
		if err := p.call(cmd.Context(), http.MethodGet, k.path+at(args[0], "keys"), nil, &keys); err != nil {
			return err
		}
		return p.show(keys, func(w io.Writer) {
			row(w, "ID", "KID", "ALGORITHM", "THUMBPRINT", "CREATED", "EXPIRES", "LAST USED")
			for _, one := range keys {
				row(w, one.ID, one.KeyID, one.Algorithm, one.Thumbprint, moment(one.Created), moment(one.Expires), moment(one.LastUsed))
			}
		})
	}
	return cmd
}

// endCredentialCmd is remove and revoke, which differ in what becomes of tokens.
func endCredentialCmd(k kind[admin.Client], c credentialSort, verb string) *cobra.Command {
	short, long, did := "Remove a "+c.word+" at the end of a rotation",
		"remove ends a rotation: the "+c.word+" is not accepted any more, and the tokens\nthat were obtained with it stay good until they expire. Its id is never used\nagain.", "removed"
	method, suffix := http.MethodDelete, []string{}
	if verb == "revoke" {
		short, long, did = "Revoke a "+c.word+" that leaked",
			"revoke is for a "+c.word+" that leaked: it is not accepted any more, under no id,\nand the tokens that were obtained with it are denied; APIs take them until they\nexpire. It works on a removed one too.", "revoked"
		method, suffix = http.MethodPost, []string{"revoke"}
	}
	arg := strings.ToUpper(c.word) + "-ID"
	cmd := &cobra.Command{
		Use: verb + " CLIENT-ID " + arg, Short: short, Long: long,
		Example: fmt.Sprintf("  symbolon client %s %s billing %s --yes", c.word, verb, c.example),
		Args:    exactArgs("CLIENT-ID", arg),
	}
	p, sure := k.objects(cmd), k.confirms(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := sure.ask(fmt.Sprintf("%ss the %s %s of client %s", verb, c.word, args[1], args[0]), args[1]); err != nil {
			return err
		}
		var client admin.Client
		path := k.path + at(append([]string{args[0], c.word + "s", args[1]}, suffix...)...)
		if err := p.call(cmd.Context(), method, path, nil, &client); err != nil {
			return err
		}
		return p.show(client, func(w io.Writer) {
			fmt.Fprintf(w, "%s %s of client %s %s; %d left\n", c.word, printable(args[1]), printable(client.ID), did, c.left(client))
		})
	}
	return cmd
}
