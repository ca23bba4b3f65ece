package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/client"
	"github.com/symbolon/symbolon/internal/jose"
)

// Where the names of files come from when no option names them.
const (
	envKey     = "SYMBOLON_KEY"
	envKeyID   = "SYMBOLON_KID"
	envCert    = "SYMBOLON_CERT"
	envCertKey = "SYMBOLON_CERT_KEY"
	envDPoPKey = "SYMBOLON_DPOP_KEY"
)

// credentialHelp is the part of a command's help that says which credential
// counts.
const credentialHelp = `The client authenticates with the first that is there of --key, --secret-file or
--secret-env, and --cert; then of their environment variables, in the same order.
A certificate besides a key or a secret is what the token is bound to (RFC 8705 §3).`

// credentials are the options by which a client proves that it is itself, and
// those that say to what its tokens are bound.
type credentials struct {
	secretFile, secretEnv string
	key, keyID            string
	cert, certKey         string
	dpopKey               string
	dpop                  bool

	authFlag         string // by which option the client authenticates
	proves, presents bool   // whether requests carry a proof, connections a certificate
}

func (c *credentials) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.secretFile, "secret-file", "", "file that holds the client's secret; a final line break is not part of it")
	f.StringVar(&c.secretEnv, "secret-env", "", "environment variable that holds the client's secret (default "+envSecret+")")
	f.StringVar(&c.key, "key", "", "file that holds the client's private key, PEM or JWK, for private_key_jwt (RFC 7523; default $"+envKey+")")
	f.StringVar(&c.keyID, "kid", "", "id of that key at the server (default $"+envKeyID+", or the JWK's kid, or none)")
	f.StringVar(&c.cert, "cert", "", "file that holds the client's certificate, PEM (RFC 8705; default $"+envCert+")")
	f.StringVar(&c.certKey, "cert-key", "", "file that holds the certificate's private key, PEM (default $"+envCertKey+", or the certificate's file)")
	f.BoolVar(&c.dpop, "dpop", false, "bind the token to a key that is made for this run (RFC 9449)")
	f.StringVar(&c.dpopKey, "dpop-key", "", "bind the token to the private key in this file, PEM or JWK (RFC 9449; default $"+envDPoPKey+")")
}

// apply puts the credentials into the configuration.
func (k *asker) apply(cfg *client.Config) error {
	if err := k.checkFlags(); err != nil {
		return err
	}
	cert, err := k.certificate()
	if err != nil {
		return err
	}
	if cfg.Auth, err = k.auth(cert); err != nil {
		return err
	}
	if cfg.Auth != client.Auth(cert) {
		cfg.TLS = cert
	}
	cfg.DPoP, err = k.proofKey()
	k.proves, k.presents = cfg.DPoP != nil, cert != nil
	return err
}

// checkFlags finds options that contradict each other, or would do nothing.
func (k *asker) checkFlags() error {
	switch {
	case k.secretFile != "" && k.secretEnv != "":
		return usagef("give one of --secret-file and --secret-env")
	case k.key != "" && (k.secretFile != "" || k.secretEnv != ""):
		return usagef("give one of --key and a secret; a client authenticates in one way (RFC 6749 §2.3)")
	case k.keyID != "" && k.or(k.key, envKey) == "":
		return usagef("--kid is the id of a key: name its file with --key")
	case k.certKey != "" && k.cert == "":
		return usagef("--cert-key is the key of a certificate: name its file with --cert")
	}
	return nil
}

// auth is how the client authenticates. A secret comes from a file or the
// environment, never from the command line, which other users of the machine
// can read.
func (k *asker) auth(cert *client.ClientCertificate) (client.Auth, error) {
	name := k.secretEnv
	if name == "" {
		name = envSecret
	}
	secret, _ := k.env(name)
	key, err := k.fileName("--key", k.key, envKey)
	switch {
	case err != nil:
		return nil, err
	case k.secretFile != "":
		k.authFlag = "--secret-file"
		return client.SecretFile(k.secretFile), nil
	case k.secretEnv != "" && secret != "":
		k.authFlag = "--secret-env"
		return client.Secret(secret), nil
	case k.key != "", key != "" && k.secretEnv == "" && k.cert == "":
		k.authFlag = "--key"
		return client.PrivateKeyFile(key, k.or(k.keyID, envKeyID)), nil
	case cert != nil && k.secretEnv == "" && (k.cert != "" || secret == ""):
		k.authFlag = "--cert"
		return cert, nil
	case secret != "":
		k.authFlag = "--secret-env"
		return client.Secret(secret), nil
	}
	return nil, usagef("there is no secret: name its file with --secret-file, or put it into the environment variable %s; or give a private key with --key, or a certificate with --cert", name)
}

// certificate is what the client presents; nil: nothing.
func (k *asker) certificate() (*client.ClientCertificate, error) {
	cert, err := k.fileName("--cert", k.cert, envCert)
	if cert == "" || err != nil {
		return nil, err
	}
	variable := envCertKey
	if k.cert != "" {
		variable = "" // the variable's key is that of the variable's certificate
	}
	key, err := k.fileName("--cert-key", k.certKey, variable)
	if err != nil {
		return nil, err
	}
	return client.CertificateFiles(cert, key), nil
}

// proofKey is what tokens are bound to; nil: nothing.
func (k *asker) proofKey() (crypto.Signer, error) {
	path, err := k.fileName("--dpop-key", k.dpopKey, envDPoPKey)
	switch {
	case err != nil:
		return nil, err
	case path != "":
		return readPrivateKey(path)
	case k.dpop:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return nil, nil
}

// fileName gives the option, or the variable in its place. Who put the key
// itself there must not read it in an error.
func (k *asker) fileName(flag, option, variable string) (string, error) {
	name := k.or(option, variable)
	if strings.Contains(name, "-----BEGIN") || strings.ContainsAny(name, "\r\n") || strings.HasPrefix(strings.TrimSpace(name), "{") {
		if option == "" {
			flag = "$" + variable
		}
		return "", usagef("%s is the name of a file, not what is in it", flag)
	}
	return name, nil
}

// readPrivateKey reads a key in PEM, or as a JWK.
func readPrivateKey(path string) (crypto.Signer, error) {
	data, err := readLimited(path, jose.MaxKey)
	if err != nil {
		return nil, fmt.Errorf("--dpop-key: %w", err)
	}
	var key crypto.Signer
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		key, _, err = jose.ParsePrivateKey(data)
	} else {
		key, err = jose.ParsePrivatePEM(data)
	}
	if err != nil {
		return nil, usagef("--dpop-key: %s holds no private key that can be used: %w", path, err)
	}
	return key, nil
}
