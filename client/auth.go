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

	"github.com/symbolon/symbolon"
)

// Auth is how a client proves to the token endpoint that it is itself. The
// ways are those of this package: Secret and SecretFile. An Auth prints as its
// kind alone.
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

// tokenRequest is a token request before it is sent.
type tokenRequest struct {
	id      string
	form    url.Values
	header  http.Header
	methods []string // token_endpoint_auth_methods_supported, when known
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
	f, err := os.Open(s.path)
	if err != nil {
		return fmt.Errorf("the secret's file cannot be opened: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return fmt.Errorf("the secret's file cannot be read: %w", err)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if err := r.addSecret(value); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	return nil
}

func (s *secretFile) version() string {
	info, err := os.Stat(s.path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.ModTime().UnixNano(), info.Size())
}

func (s *secretFile) String() string       { return "client.SecretFile(" + s.path + ")" }
func (s *secretFile) GoString() string     { return s.String() }
func (s *secretFile) LogValue() slog.Value { return slog.StringValue(s.String()) }

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
