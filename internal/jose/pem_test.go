package jose

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
)

func block(title string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: title, Bytes: der}))
}

func TestPEMRoundTrip(t *testing.T) {
	for _, alg := range []Algorithm{ES256, ES384, ES512, RS256, EdDSA} {
		private := testKeyFor(alg)
		key := must(NewKey(private.Public(), alg, "k"))
		pub, err := ParsePublicPEM(key.PEM())
		if err != nil {
			t.Errorf("%s public: %v", alg, err)
			continue
		}
		if again := must(NewKey(pub, alg, "k")); again.Thumbprint() != key.Thumbprint() {
			t.Errorf("%s reads back as another key", alg)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1)}
		texts := []string{
			block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(private))),
			"Bag Attributes\n    friendlyName: x\n" + block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(private))) + "\n\n",
		}
		publics := []string{block("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)))}
		switch private := private.(type) {
		case *ecdsa.PrivateKey:
			sec1 := block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(private)))
			parameters := must(asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}))
			texts = append(texts, sec1, block("EC PARAMETERS", parameters)+sec1)
		case *rsa.PrivateKey:
			texts = append(texts, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private)))
			publics = append(publics, block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&private.PublicKey)))
		}
		for _, text := range publics {
			pub, err := ParsePublicPEM([]byte(text))
			if err != nil || must(NewKey(pub, "", "")).Thumbprint() != key.Thumbprint() {
				t.Errorf("%s %.30s: %v", alg, text, err)
			}
		}
		for _, text := range texts {
			signer, err := ParsePrivatePEM([]byte(text))
			if err != nil || must(NewKey(signer.Public(), "", "")).Thumbprint() != key.Thumbprint() {
				t.Errorf("%s %.30s: %v", alg, text, err)
			}
			if _, err := ParsePublicPEM([]byte(text)); !errors.Is(err, ErrPrivateKey) {
				t.Errorf("%s %.30s as a public key: %v, want ErrPrivateKey", alg, text, err)
			}
		}
		if _, err := ParsePrivatePEM(key.PEM()); !errors.Is(err, ErrKey) {
			t.Errorf("%s public as a private key: %v, want ErrKey", alg, err)
		}
	}
}

func TestPEMRefuses(t *testing.T) {
	good := string(must(NewKey(&p256TestKey().PublicKey, ES256, "")).PEM())
	private := block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(p256TestKey())))
	//lint:ignore SA1019 to make a weak key
	weak := must(rsa.GenerateMultiPrimeKey(rand.Reader, 2, 1024))
	x25519 := must(ecdh.X25519().GenerateKey(rand.Reader))
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	encrypted := strings.Replace(block("EC PRIVATE KEY", []byte("x")), "-----\n",
		"-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1)
	spki := func(pub crypto.PublicKey) string { return block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(pub))) }
	for _, text := range []string{encrypted, block("ENCRYPTED PRIVATE KEY", []byte("x"))} {
		if _, err := ParsePrivatePEM([]byte(text)); err == nil || !strings.Contains(err.Error(), "decrypt it first") {
			t.Errorf("an encrypted key: %v does not say what to do", err)
		}
	}
	for name, c := range map[string]struct {
		public, private string
		want            error
	}{
		"empty":              {"", "", ErrKey},
		"JSON":               {"{" + rfc7517EC + "}", rfc8037Private, ErrKey},
		"not PEM":            {"ssh-ed25519 AAAA", "secret", ErrKey},
		"two blocks":         {good + good, private + private, ErrKey},
		"text behind":        {good + "x", private + "x", ErrKey},
		"unknown title":      {block("DSA PUBLIC KEY", []byte("x")), block("DSA PRIVATE KEY", []byte("x")), ErrKey},
		"broken content":     {block("PUBLIC KEY", []byte("x")), block("PRIVATE KEY", []byte("x")), ErrKey},
		"broken PKCS1":       {block("RSA PUBLIC KEY", []byte("x")), block("RSA PRIVATE KEY", []byte("x")), ErrKey},
		"broken other":       {block("CERTIFICATE", []byte("x")), block("EC PRIVATE KEY", []byte("x")), ErrKey},
		"encrypted":          {block("ENCRYPTED PRIVATE KEY", []byte("x")), block("ENCRYPTED PRIVATE KEY", []byte("x")), nil},
		"encrypted, old way": {good[:20], encrypted, ErrKey},
		"weak":               {spki(&weak.PublicKey), block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(weak))), ErrWeakKey},
		"P-224":              {spki(&p224.PublicKey), block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(p224))), ErrUnsupportedKey},
		"X25519":             {spki(x25519.PublicKey()), block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(x25519))), ErrUnsupportedKey},
		"too long":           {strings.Repeat(" ", MaxKey+1), strings.Repeat(" ", MaxKey+1), ErrTooLong},
	} {
		_, publicErr := ParsePublicPEM([]byte(c.public))
		_, privateErr := ParsePrivatePEM([]byte(c.private))
		if c.want == nil {
			c.want = ErrKey
			if !errors.Is(publicErr, ErrPrivateKey) {
				t.Errorf("%s, public: %v, want ErrPrivateKey", name, publicErr)
			}
		} else if !errors.Is(publicErr, c.want) {
			t.Errorf("%s, public: %v, want %v", name, publicErr, c.want)
		}
		if !errors.Is(privateErr, c.want) {
			t.Errorf("%s, private: %v, want %v", name, privateErr, c.want)
		}
	}
}
