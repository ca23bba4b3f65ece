package admin

import (
	"crypto/rand"
	"crypto/subtle"
	"unicode"

	"golang.org/x/crypto/argon2"

	"github.com/symbolon/symbolon/internal/registry"
)

// Cost of argon2id for imported secrets: 19 MiB and two passes, the least that
// OWASP's password storage cheat sheet recommends. Requests that authenticate
// with such a secret pay it each time.
const (
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	argonSalt    = 16
	argonKey     = 32
)

// Bounds of an imported secret's value, in octets.
const (
	minSecret = 8
	maxSecret = 512
)

// hashSecret is the stored form of a secret: a single SHA-256 of a generated
// one, argon2id of any other, because nobody knows how much there is to guess.
func hashSecret(value Secret) string {
	if registry.IsGenerated(value.value) {
		return registry.HashGenerated(value.value)
	}
	salt := make([]byte, argonSalt)
	rand.Read(salt) // never fails (crypto/rand)
	return registry.Argon2id{Memory: argonMemory, Time: argonTime, Threads: argonThreads, Salt: salt,
		Key: argon2.IDKey([]byte(value.value), salt, argonTime, argonMemory, argonThreads, argonKey)}.String()
}

// matches reports whether value is the secret whose stored form is hash. With
// argon2id it costs some 20 ms of CPU, so it does not run inside a transaction.
func matches(hash string, value Secret) bool {
	if _, ok := registry.ParseSHA256(hash); ok {
		return subtle.ConstantTimeCompare([]byte(hash), []byte(registry.HashGenerated(value.value))) == 1
	}
	p, ok := registry.ParseArgon2id(hash)
	if !ok {
		return false
	}
	got := argon2.IDKey([]byte(value.value), p.Salt, p.Time, p.Memory, p.Threads, uint32(len(p.Key)))
	return subtle.ConstantTimeCompare(got, p.Key) == 1
}

// checkValue refuses an imported value that is too short to resist guessing,
// over-long, or that would not travel: control characters do not survive every
// form and header encoding.
func checkValue(value Secret) error {
	const fix = "leave the value out, and the server makes one"
	switch n := len(value.value); {
	case n < minSecret:
		return invalid(fix, "the secret has %d octets, the least is %d", n, minSecret)
	case n > maxSecret:
		return invalid(fix, "the secret has %d octets, the most is %d", n, maxSecret)
	}
	for _, r := range value.value {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return invalid("write the file without a line break at its end",
				"the secret holds a control character")
		}
	}
	if value.value == redacted {
		return invalid("give the value itself", "the secret is the placeholder that stands for secrets in print")
	}
	return nil
}
