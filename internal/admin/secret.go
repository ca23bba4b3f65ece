package admin

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted stands wherever a secret would be printed.
const redacted = "[redacted]"

// Secret is a plain secret on its way to its owner or to its hash. It prints,
// logs and marshals as "[redacted]"; only Reveal gives the value, so that every
// place that lets one out can be found by that name.
type Secret struct{ value string }

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal is the value itself.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is no value.
func (s Secret) IsZero() bool { return s.value == "" }

// String redacts.
func (Secret) String() string { return redacted }

// Format redacts under every verb: %d would look past String into the value.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue redacts.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText redacts, in JSON too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
