package registry

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash/crc32"
	"math/big"
	"strconv"
	"strings"
)

// SecretPrefix begins every generated secret, so that scanners of repositories
// and logs find it.
const SecretPrefix = "sym_"

const (
	base62      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	secretBody  = 43 // base62 digits of 256 bits
	secretCheck = 6  // base62 digits of a CRC-32
)

// FormatSecret is the text of a generated secret: "sym_", 43 base62 digits of
// its 256 random bits and 6 of the CRC-32 of what precedes. It has unreserved
// characters only, so that a client that percent-encodes Basic credentials and
// one that does not send the same (RFC 6749 §2.3.1).
func FormatSecret(random [32]byte) string {
	text := SecretPrefix + digits62(new(big.Int).SetBytes(random[:]), secretBody)
	return text + checksum62(text)
}

// IsGenerated reports whether the value has the form and the checksum of
// FormatSecret: only such a secret has the entropy that lets a single SHA-256
// stand for it.
func IsGenerated(value string) bool {
	body := len(SecretPrefix) + secretBody
	if len(value) != body+secretCheck || !strings.HasPrefix(value, SecretPrefix) {
		return false
	}
	for _, c := range []byte(value[len(SecretPrefix):]) {
		if strings.IndexByte(base62, c) < 0 {
			return false
		}
	}
	return value[body:] == checksum62(value[:body])
}

// redacted stands in a text where a secret was.
const redacted = SecretPrefix + "[redacted]"

// Redact takes generated secrets out of a text that is kept or shown: people
// paste one where an id or a scope belongs. It does not ask for the checksum:
// with a mistyped or missing end there is still enough of it to guess the rest.
func Redact(text string) string {
	if len(text) < secretLeast {
		return text
	}
	return redact(text)
}

// secretLeast are the octets of a secret without its checksum.
const secretLeast = len(SecretPrefix) + secretBody

func redact(text string) string {
	var out strings.Builder
	kept := 0 // octets of text that are in out, or were taken out
	for from := 0; ; {
		i := strings.Index(text[from:], SecretPrefix)
		if i < 0 {
			break
		}
		start := from + i
		from = start + len(SecretPrefix)
		end := from
		for end < len(text) && strings.IndexByte(base62, text[end]) >= 0 {
			end++
		}
		if end-start >= secretLeast {
			out.WriteString(text[kept:start])
			out.WriteString(redacted)
			kept, from = end, end
		}
	}
	if kept == 0 {
		return text
	}
	out.WriteString(text[kept:])
	return out.String()
}

func checksum62(text string) string {
	return digits62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(text)))), secretCheck)
}

// digits62 writes n with exactly width digits.
func digits62(n *big.Int, width int) string {
	out := make([]byte, width)
	base, digit := big.NewInt(int64(len(base62))), new(big.Int)
	for i := width - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = base62[digit.Int64()]
	}
	return string(out)
}

// Prefixes of Secret.Hash.
const (
	HashSHA256   = "sha256:"
	HashArgon2id = "argon2id:"
)

// HashGenerated is the Hash of a generated secret.
func HashGenerated(value string) string {
	sum := sha256.Sum256([]byte(value))
	return HashSHA256 + hex.EncodeToString(sum[:])
}

// ParseSHA256 reads a Hash of the form "sha256:" and 64 lower-case hexadecimal
// digits.
func ParseSHA256(hash string) (digest [32]byte, ok bool) {
	text, ok := strings.CutPrefix(hash, HashSHA256)
	if !ok || len(text) != 2*len(digest) || strings.ToLower(text) != text {
		return digest, false
	}
	_, err := hex.Decode(digest[:], []byte(text))
	return digest, err == nil
}

// Argon2id is a Hash of an imported secret, taken apart. Its parameters are
// bounded, so that no document can make a node spend more than it means to.
type Argon2id struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
	Salt    []byte // 16 to 64 octets
	Key     []byte // 32 octets
}

// Bounds of Argon2id.
const (
	maxArgonMemory  = 64 << 10
	maxArgonTime    = 10
	maxArgonThreads = 4
)

// String is the form that ParseArgon2id reads:
// "argon2id:m=19456,t=2,p=1:<salt>:<key>", both unpadded base64url.
func (a Argon2id) String() string {
	b64 := base64.RawURLEncoding
	return HashArgon2id + "m=" + strconv.FormatUint(uint64(a.Memory), 10) + ",t=" + strconv.FormatUint(uint64(a.Time), 10) +
		",p=" + strconv.FormatUint(uint64(a.Threads), 10) + ":" + b64.EncodeToString(a.Salt) + ":" + b64.EncodeToString(a.Key)
}

// ParseArgon2id reads a Hash of an imported secret. It takes only the text
// that String would write.
func ParseArgon2id(hash string) (a Argon2id, ok bool) {
	text, ok := strings.CutPrefix(hash, HashArgon2id)
	parts := strings.Split(text, ":")
	if !ok || len(parts) != 3 {
		return Argon2id{}, false
	}
	cost := strings.Split(parts[0], ",")
	if len(cost) != 3 {
		return Argon2id{}, false
	}
	memory, ok1 := costOf(cost[0], "m=", maxArgonMemory)
	passes, ok2 := costOf(cost[1], "t=", maxArgonTime)
	threads, ok3 := costOf(cost[2], "p=", maxArgonThreads)
	salt, err1 := base64.RawURLEncoding.DecodeString(parts[1])
	key, err2 := base64.RawURLEncoding.DecodeString(parts[2])
	if !ok1 || !ok2 || !ok3 || err1 != nil || err2 != nil {
		return Argon2id{}, false
	}
	a = Argon2id{Memory: memory, Time: passes, Threads: uint8(threads), Salt: salt, Key: key}
	if len(salt) < 16 || len(salt) > 64 || len(key) != 32 || memory < 8*threads || a.String() != hash {
		return Argon2id{}, false
	}
	return a, true
}

func costOf(text, name string, limit uint64) (uint32, bool) {
	digits, ok := strings.CutPrefix(text, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), ok && err == nil && n > 0 && n <= limit
}
