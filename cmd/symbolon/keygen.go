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
}

func newKeygenCmd(a *app) *cobra.Command {
	var alg, kid string
	cmd := &cobra.Command{
		Use:   "keygen NAME",
		Short: "Make a key pair for a client",
		Long: `keygen makes a key pair and writes NAME.key, the private key (PKCS #8 PEM, readable
by you alone), and NAME.pub, the public key (PEM); it prints the public key as a
JWK. The private key stays where it is; the public one is what others are given.
Files that exist are never written over.`,
		Example: "  symbolon keygen billing\n  symbolon keygen ./keys/billing --alg PS256 --json",
		Args:    exactArgs("NAME"),
	}
	p := &place{app: a}
	cmd.Flags().StringVar(&alg, "alg", string(jose.ES256), "algorithm: ES256, ES384, EdDSA, PS256 or RS256")
	cmd.Flags().StringVar(&kid, "kid", "", "id of the key (default: its thumbprint, RFC 7638)")
	cmd.Flags().BoolVar(&p.json, "json", false, "print one JSON document")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		maker, ok := keyMakers[jose.Algorithm(alg)]
		if !ok {
			return usagef("--alg %q is not ES256, ES384, EdDSA, PS256 or RS256", alg)
		}
		defer p.waiting("looking for prime numbers")()
		private, err := maker()
		if err != nil {
			return err
		}
		pair, err := writePair(args[0], private, jose.Algorithm(alg), kid)
		if err != nil {
			return err
		}
		return p.show(pair, func(w io.Writer) {
			field(w, "private", pair.Private+" (keep it)")
			field(w, "public", pair.Public)
			field(w, "kid", pair.KeyID)
			field(w, "jwk", string(pair.JWK))
		})
	}
	return cmd
}

// writePair writes both files, or none.
func writePair(name string, private crypto.Signer, alg jose.Algorithm, kid string) (*keyPair, error) {
	public, err := jose.NewKey(private.Public(), alg, kid)
	if err != nil {
		return nil, err
	}
	if kid == "" {
		if public, err = jose.NewKey(private.Public(), alg, public.Thumbprint()); err != nil {
			return nil, err
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	pair := &keyPair{Private: name + ".key", Public: name + ".pub", KeyID: public.ID, JWK: public.JSON()}
	if err := writeNew(pair.Private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	if err := writeNew(pair.Public, public.PEM(), 0o644); err != nil {
		os.Remove(pair.Private) // made a moment ago, and known to nobody
		return nil, err
	}
	return pair, nil
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
