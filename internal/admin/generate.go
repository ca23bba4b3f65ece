package admin

import (
	"crypto/rand"
	"math/big"
	"strings"

	"github.com/symbolon/symbolon/internal/registry"
)

// generateSecret makes a client secret of 256 random bits.
func generateSecret() Secret {
	var random [32]byte
	rand.Read(random[:]) // never fails (crypto/rand)
	return NewSecret(registry.FormatSecret(random))
}

// idAlphabet has no vowels and no look-alikes: an id can be read out aloud and
// spells nothing.
const idAlphabet = "23456789bcdfghjkmnpqrstvwxz"

// idLength gives 47 bits: enough that two ids never meet.
const idLength = 10

// isGeneratedID reports whether an id is as generateID makes one for the kind: it
// stands in a file only where somebody put it there.
func isGeneratedID(kind, id string) bool {
	random, ok := strings.CutPrefix(id, kind+"-")
	return ok && len(random) == idLength && strings.Trim(random, idAlphabet) == ""
}

// generateID makes an id such as "client-7k3m9qx2dv".
func generateID(prefix string) string {
	var b strings.Builder
	b.WriteString(prefix + "-")
	for range idLength {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(idAlphabet))))
		if err != nil {
			panic("admin: the system gives no random numbers: " + err.Error())
		}
		b.WriteByte(idAlphabet[n.Int64()])
	}
	return b.String()
}
