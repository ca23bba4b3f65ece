package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// ParsePublicPEM reads one public key: PUBLIC KEY (SubjectPublicKeyInfo), RSA PUBLIC KEY
// (PKCS #1) or CERTIFICATE, of which only the key is taken; nothing else of a certificate is
// checked. The key is checked as by [NewKey]. A private key is [ErrPrivateKey].
func ParsePublicPEM(b []byte) (crypto.PublicKey, error) {
	block, err := onlyBlock(b)
	if err != nil {
		return nil, err
	}
	var pub crypto.PublicKey
	switch block.Type {
	case "PUBLIC KEY":
		pub, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		pub, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			pub = certificate.PublicKey
		}
	case "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY":
		return nil, ErrPrivateKey
	default:
		return nil, fmt.Errorf("%w: the PEM block is not PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE", ErrKey)
	}
	if err != nil {
		return nil, errPEMContent
	}
	k, err := NewKey(pub, "", "")
	if err != nil {
		return nil, err
	}
	return k.Public, nil
}

// ParsePrivatePEM reads one private key: PRIVATE KEY (PKCS #8), EC PRIVATE KEY (SEC 1, with
// or without the EC PARAMETERS that openssl writes before it) or RSA PRIVATE KEY (PKCS #1).
// The key is checked as by [NewKey]. Encrypted keys are refused. The signer is
// *ecdsa.PrivateKey, *rsa.PrivateKey or ed25519.PrivateKey.
func ParsePrivatePEM(b []byte) (crypto.Signer, error) {
	block, err := onlyBlock(b)
	if err != nil {
		return nil, err
	}
	var private any
	switch block.Type {
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errEncrypted
	case "PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE":
		return nil, fmt.Errorf("%w: it is a public key where a private key belongs", ErrKey)
	default:
		return nil, fmt.Errorf("%w: the PEM block is not PRIVATE KEY, EC PRIVATE KEY or RSA PRIVATE KEY", ErrKey)
	}
	if block.Headers["DEK-Info"] != "" {
		return nil, errEncrypted
	}
	if err != nil {
		return nil, errPEMContent
	}
	var signer crypto.Signer
	switch private := private.(type) {
	case *ecdsa.PrivateKey:
		signer = private
	case *rsa.PrivateKey:
		signer = private
	case ed25519.PrivateKey:
		signer = private
	default:
		return nil, ErrUnsupportedKey
	}
	if _, err := NewKey(signer.Public(), "", ""); err != nil {
		return nil, err
	}
	return signer, nil
}

var (
	errPEMContent = fmt.Errorf("%w: the content of the PEM block is not what its title says", ErrKey)
	errEncrypted  = fmt.Errorf("%w: the key is encrypted: decrypt it first, with openssl pkey -in FILE", ErrKey)
)

// onlyBlock returns the one PEM block of b. Text before it is allowed, as openssl writes it;
// a second block is not, since which one is meant cannot be known.
func onlyBlock(b []byte) (*pem.Block, error) {
	if len(b) > MaxKey {
		return nil, ErrTooLong
	}
	block, rest := pem.Decode(b)
	if block != nil && block.Type == "EC PARAMETERS" {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
			return nil, fmt.Errorf("%w: it is JSON, not PEM", ErrKey)
		}
		return nil, fmt.Errorf("%w: there is no PEM block", ErrKey)
	}
	if len(bytes.TrimSpace(rest)) != 0 {
		return nil, fmt.Errorf("%w: something follows the PEM block: give one key alone", ErrKey)
	}
	return block, nil
}
