package state

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"github.com/symbolon/symbolon/internal/registry"
)

// stretch is how often the hash of an imported secret is repeated: the sum is
// stored, and must not be a cheaper way to guess the secret than the
// credential's own hash.
const stretch = 100_000

// content sums up a file and what it reads, to tell whether either has
// changed.
type content struct {
	file [32]byte
	all  hash.Hash
}

func newContent(data []byte) *content {
	c := &content{file: sha256.Sum256(data), all: sha256.New()}
	c.all.Write(c.file[:])
	return c
}

func (c *content) add(client, id, value string) {
	where := client + "\x00" + id + "\x00"
	digest := sha256.Sum256([]byte(value))
	if !registry.IsGenerated(value) {
		salt := append([]byte(where), c.file[:]...)
		stretched, err := pbkdf2.Key(sha256.New, value, salt, stretch, len(digest))
		if err != nil {
			panic("state: " + err.Error()) // only a length that is no length
		}
		copy(digest[:], stretched)
	}
	c.all.Write([]byte(where))
	c.all.Write(digest[:])
}

// addPublic adds what is no secret, and may be guessed.
func (c *content) addPublic(client, id string, text []byte) {
	digest := sha256.Sum256(text)
	c.all.Write([]byte(client + "\x00" + id + "\x00"))
	c.all.Write(digest[:])
}

func (c *content) sum() string { return "sha256:" + hex.EncodeToString(c.all.Sum(nil)) }
