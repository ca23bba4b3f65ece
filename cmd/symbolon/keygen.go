package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/jose"
)

// rsaBits is the size of RSA keys: enough beyond 2030 (NIST SP 800-57).
const rsaBits = 3072

// keyMakers make a private key for an algorithm.
var keyMakers = map[jose.Algorithm]func() (crypto.Signer, error){
	jose.ES256: func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
	jose.ES384: func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
	jose.PS256: func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, rsaBits) },
	jose.RS256: func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, rsaBits) },
	jose.EdDSA: func() (crypto.Signer, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	},
}

// keyPair is what keygen made.
type keyPair struct {
	Private string          `json:"private"` // file
	Public  string          `json:"public"`  // file
	KeyID   string          `json:"kid"`
	JWK     json.RawMessage `json:"jwk"`

	Certificate string `json:"certificate,omitempty"` // file
	Request     string `json:"request,omitempty"`     // file
}

func newKeygenCmd(a *app) *cobra.Command {
	var alg, kid string
	cmd := &cobra.Command{
		Use:   "keygen NAME",
		Short: "Make a key pair for a client",
		Long: `keygen makes a key pair and writes NAME.key, the private key (PKCS #8 PEM, readable
by you alone), and NAME.pub, the public key (PEM); it prints the public key as a
JWK. The private key stays where it is; the public one is what others are given.
With --cert it also writes NAME.crt, a certificate that the key signs itself
(self_signed_tls_client_auth, RFC 8705 §2.2); with --csr it writes NAME.csr, a
request for an authority. Files that exist are never written over.`,
		Example: "  symbolon keygen billing\n  symbolon keygen ./keys/billing --alg PS256 --json\n  symbolon keygen billing-tls --cert --valid 90d\n  symbolon keygen billing-tls --csr --name billing --san-dns billing.example.com",
		Args:    exactArgs("NAME"),
	}
	p := &place{app: a}
	cmd.Flags().StringVar(&alg, "alg", string(jose.ES256), "algorithm: ES256, ES384, EdDSA, PS256 or RS256")
	cmd.Flags().StringVar(&kid, "kid", "", "id of the key (default: its thumbprint, RFC 7638)")
	tls := certificateFlags(cmd)
	cmd.Flags().BoolVar(&p.json, "json", false, "print one JSON document")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		maker, ok := keyMakers[jose.Algorithm(alg)]
		if !ok {
			return usagef("--alg %q is not ES256, ES384, EdDSA, PS256 or RS256", alg)
		}
		if err := tls.read(args[0]); err != nil {
			return err
		}
		defer p.waiting("looking for prime numbers")()
		private, err := maker()
		if err != nil {
			return err
		}
		pair, err := newPair(private, jose.Algorithm(alg), kid)
		if err != nil {
			return err
		}
		files, err := pair.files(args[0], private)
		if err != nil {
			return err
		}
		more, err := tls.files(pair, args[0], private, a.now())
		if err != nil {
			return err
		}
		if err := writeAll(append(files, more...)); err != nil {
			return err
		}
		return p.show(pair, func(w io.Writer) {
			field(w, "private", pair.Private+" (keep it)")
			field(w, "public", pair.Public)
			if pair.Certificate != "" {
				field(w, "certificate", pair.Certificate)
			}
			if pair.Request != "" {
				field(w, "request", pair.Request)
			}
			field(w, "kid", pair.KeyID)
			field(w, "jwk", string(pair.JWK))
		})
	}
	return cmd
}

// newPair names a key pair: by its thumbprint where kid is empty.
func newPair(private crypto.Signer, alg jose.Algorithm, kid string) (*keyPair, error) {
	public, err := jose.NewKey(private.Public(), alg, kid)
	if err != nil {
		return nil, err
	}
	if kid == "" {
		if public, err = jose.NewKey(private.Public(), alg, public.Thumbprint()); err != nil {
			return nil, err
		}
	}
	return &keyPair{KeyID: public.ID, JWK: public.JSON()}, nil
}

// newFile is a file that is to be made.
type newFile struct {
	path string
	data []byte
	mode fs.FileMode
}

// files are the two of the pair.
func (p *keyPair) files(name string, private crypto.Signer) ([]newFile, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return nil, err
	}
	p.Private, p.Public = name+".key", name+".pub"
	return []newFile{
		{p.Private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600},
		{p.Public, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644},
	}, nil
}

// writeAll writes all files, or none.
func writeAll(files []newFile) error {
	for i, f := range files {
		if err := writeNew(f.path, f.data, f.mode); err != nil {
			for _, made := range files[:i] {
				os.Remove(made.path) // made a moment ago, and known to nobody
			}
			return err
		}
	}
	return nil
}

// writeNew writes a file that must not exist yet, also not as a link.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already and is not written over; choose another name, or move it away", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}
