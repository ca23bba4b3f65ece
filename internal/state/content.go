package state

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// stretch is how often the hash of an imported secret is repeated: the digest is
// stored, and must not be a cheaper way to guess the secret than the
// credential's own hash.
const stretch = 100_000

// digestLength is how many octets of a digest are kept: enough to tell two values
// apart.
const digestLength = 9

// content notes what a file says and what it reads, to tell whether either has
// changed. Values stand in the order in which the file names them, so that one
// that is missing leaves its place empty.
type content struct {
	file   [32]byte
	values []string
}

func newContent(data []byte) *content { return &content{file: sha256.Sum256(data)} }

func (c *content) add(client, id, value string) {
	if registry.IsGenerated(value) {
		c.addPublic(client, id, []byte(value))
		return
	}
	stretched, err := pbkdf2.Key(sha256.New, value, c.salt(client, id), stretch, digestLength)
	if err != nil {
		panic("state: " + err.Error()) // only a length that is no length
	}
	c.note(stretched)
}

// addPublic adds what may be guessed, because it is no secret, or cannot be.
func (c *content) addPublic(client, id string, text []byte) {
	digest := sha256.Sum256(append(c.salt(client, id), text...))
	c.note(digest[:digestLength])
}

// addAbsent keeps the place of a value that is not there.
func (c *content) addAbsent() { c.values = append(c.values, "") }

func (c *content) note(digest []byte) {
	c.values = append(c.values, base64.RawURLEncoding.EncodeToString(digest))
}

// salt is another one for each value of each file: equal values do not show.
func (c *content) salt(client, id string) []byte {
	return append([]byte(client+"\x00"+id+"\x00"), c.file[:]...)
}

func (c *content) done() admin.Content {
	return admin.Content{File: "sha256:" + hex.EncodeToString(c.file[:]), Values: c.values}
}
