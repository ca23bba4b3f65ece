package client

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
)

// Auth is how a client proves to a server's endpoints that it is itself. The
// ways are those of this package: PrivateKeyJWT and PrivateKeyFile, Certificate
// and CertificateFiles, Secret and SecretFile. An Auth prints as its kind alone.
type Auth interface {
	// authenticate adds the proof to the request. It is called anew for every
	// request, and once on a trial by New.
	authenticate(*tokenRequest) error
}

// versioned is an Auth whose material may change by itself: a refusal of one
// version says nothing about the next.
type versioned interface {
	version() string
}

// tokenRequest is a request to the token endpoint, or to another one where clients
// authenticate, before it is sent.
type tokenRequest struct {
	id, issuer string // as configured
	form       url.Values
	header     http.Header
	methods    []string  // the endpoint's auth_methods_supported, when known
	algorithms []string  // the endpoint's auth_signing_alg_values_supported, when known
	now        time.Time // by the server's clock, as far as known
	timed      bool      // what was added is good for a while only
	trial      bool      // nothing is sent
}

// maxSecret is more than any secret has: a larger file is the wrong file.
const maxSecret = 4 << 10

// Secret proves by a client secret (RFC 6749 §2.3.1): in the Authorization
// header, or in the body where the server's metadata offers only that.
func Secret(value string) Auth { return &secret{&value} }

// secret holds the value behind a pointer: a struct around it that prints its
// fields prints an address.
type secret struct{ value *string }

func (s *secret) authenticate(r *tokenRequest) error { return r.addSecret(*s.value) }

func (s *secret) String() string       { return "client.Secret([redacted])" }
func (s *secret) GoString() string     { return s.String() }
func (s *secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// SecretFile proves by the client secret in a file, as Secret does. The file
// is read for every token request, so that a rotated secret needs no restart;
// one line break at its end is not part of the secret.
func SecretFile(path string) Auth { return &secretFile{path} }

type secretFile struct{ path string }

func (s *secretFile) authenticate(r *tokenRequest) error {
	data, err := readFile("the secret's file", s.path, maxSecret+2)
	if err != nil {
		return err
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if err := r.addSecret(value); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	return nil
}

func (s *secretFile) version() string { return fileVersion(s.path) }

func (s *secretFile) String() string       { return "client.SecretFile(" + s.path + ")" }
func (s *secretFile) GoString() string     { return s.String() }
func (s *secretFile) LogValue() slog.Value { return slog.StringValue(s.String()) }

// readFile reads a file of at most so many bytes; what names it in errors.
func readFile(what, path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened: %w", what, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", what, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s is longer than %d bytes; is %s the right one?", what, most, path)
	}
	return data, nil
}

// fileVersion changes when the file does; "" while it cannot be seen.
func fileVersion(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.ModTime().UnixNano(), info.Size())
}

// addSecret adds the secret to the request. Its errors never tell the value.
func (r *tokenRequest) addSecret(value string) error {
	switch {
	case value == "":
		return errors.New("the secret is empty")
	case len(value) > maxSecret:
		return fmt.Errorf("the secret is longer than %d bytes: is this the right file?", maxSecret)
	case strings.ContainsFunc(value, func(c rune) bool { return c < 0x20 || c == 0x7f }):
		return errors.New("the secret holds a control character: give it on one line, without others")
	}
	// RFC 8414 §2: when the metadata names no methods, it is client_secret_basic.
	if len(r.methods) > 0 && !slices.Contains(r.methods, symbolon.AuthSecretBasic) && slices.Contains(r.methods, symbolon.AuthSecretPost) {
		r.form.Set("client_id", r.id)
		r.form.Set("client_secret", value)
		return nil
	}
	// RFC 6749 §2.3.1: both halves are form-urlencoded before Base64.
	pair := url.QueryEscape(r.id) + ":" + url.QueryEscape(value)
	r.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	return nil
}
