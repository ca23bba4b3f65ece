package server

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/keys"
)

// vectorPage is the page that others write validators by.
const vectorPage = "../../docs/revocation-set.md"

// Positions of the sets on that page.
const (
	vectorTime = 1_800_000_000
	vectorSeq  = 17
)

// vectorSets are the two sets of the page.
func vectorSets() (whole, difference symbolon.RevocationSet) {
	entry := func(n, expires int64, kind string, parts ...string) symbolon.RevocationEntry {
		return symbolon.RevocationEntry{Key: symbolon.NewDenialKey(1, kind, parts...), Expires: vectorTime + expires, N: n}
	}
	pending := []symbolon.PendingDenial{{ID: "Zk3vN8qLx0c", Key: symbolon.NewDenialKey(0, symbolon.DenyKID, "k1"), Expires: vectorTime + 90_000}}
	whole = symbolon.RevocationSet{
		Issuer: "https://auth.example.com", Epoch: 1, Seq: vectorSeq, AsOf: vectorTime, Expires: vectorTime + 300,
		Entries: []symbolon.RevocationEntry{
			entry(1<<40+12, 80_000, symbolon.DenyClientAPI, "reports", "https://orders.example.com"),
			entry(0, 80_000, symbolon.DenyJTI, "9hB2kZ0tVwqYxR7nLcE4aA"),
			entry(0, 85_000, symbolon.DenyCredential, "billing", "s1"),
			entry(1<<40+vectorSeq, 90_000, symbolon.DenyClient, "billing"),
		},
		Pending: pending, Merged: []string{}, Journal: journalTag(pending, nil),
	}
	merged := []string{pending[0].ID}
	difference = symbolon.RevocationSet{
		Issuer: whole.Issuer, Epoch: 1, Seq: vectorSeq + 2, Since: vectorSeq, AsOf: vectorTime + 40, Expires: vectorTime + 340,
		Entries: []symbolon.RevocationEntry{
			entry(0, 90_000, symbolon.DenyKID, "k1"),
			entry(1<<40+vectorSeq+2, 90_000, symbolon.DenyClient, "batch"),
		},
		Pending: []symbolon.PendingDenial{}, Merged: merged, Journal: journalTag(nil, merged),
	}
	return whole, difference
}

// TestVectorsOfThePage makes the sets of the page anew, under the same key.
func TestVectorsOfThePage(t *testing.T) {
	page := readPage(t)
	seed, err := jose.DecodeSegment("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A") // RFC 8037 Appendix A.1
	if err != nil {
		t.Fatal(err)
	}
	feed := keys.NewFeed(ed25519.NewKeyFromSeed(seed))
	has := func(what, language, text string) {
		t.Helper()
		if block := "```" + language + "\n" + text + "\n```\n"; !strings.Contains(page, block) {
			t.Errorf("%s: the page lacks\n%s", what, block)
		}
	}
	has("keys", "json", string((&jose.KeySet{Keys: []*jose.Key{feed.Key()}}).JSON()))
	whole, difference := vectorSets()
	for what, set := range map[string]symbolon.RevocationSet{"the whole set": whole, "the difference": difference} {
		entries := make([]deniedEntry, len(set.Entries))
		for i, e := range set.Entries {
			entries[i].RevocationEntry = e
		}
		payload, err := appendRevocationSet(nil, &set, entries)
		if err != nil {
			t.Fatal(err)
		}
		has(what, "json", string(payload))
		has(what, "text", string(feed.Sign(payload)))
	}
}

func readPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(vectorPage)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// TestDenialKeysOfThePage: those of its table, each kind once.
func TestDenialKeysOfThePage(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| ([01]) \\| ((?:`[^`]*` ?)+) \\| `([^`]{22})` \\|$")
	found := row.FindAllStringSubmatch(readPage(t), -1)
	if len(found) != 6 {
		t.Fatalf("%d rows", len(found))
	}
	for _, m := range found {
		epoch, _ := strconv.ParseInt(m[1], 10, 64)
		parts := strings.Split(strings.Trim(m[2], "` "), "` `")
		if got := symbolon.NewDenialKey(epoch, parts[0], parts[1:]...).String(); got != m[3] {
			t.Errorf("%s %q: %s, the page says %s", m[1], parts, got, m[3])
		}
	}
}

// TestDecisionsOfThePage: its table of tokens, by its own words.
func TestDecisionsOfThePage(t *testing.T) {
	whole, difference := vectorSets()
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| `(\\w+)` \\| (\\d+) \\| `(\\w+)` \\| `(\\w+)` \\| (\\w+) \\| (\\w+) \\|$")
	found := row.FindAllStringSubmatch(readPage(t), -1)
	if len(found) != 9 {
		t.Fatalf("%d rows", len(found))
	}
	for _, m := range found {
		client, cred, jti, kid := m[1], m[2], m[4], m[5]
		gen, _ := strconv.ParseInt(m[3], 10, 64)
		denied := func(sets ...symbolon.RevocationSet) string {
			pending := map[symbolon.DenialKey]string{}
			entries := map[symbolon.DenialKey]int64{}
			for _, s := range sets {
				for _, e := range s.Entries {
					entries[e.Key] = e.N
				}
				for _, p := range s.Pending {
					pending[p.Key] = p.ID
				}
				for key, id := range pending {
					if strings.Contains(fmt.Sprint(s.Merged), id) {
						delete(pending, key)
					}
				}
			}
			for kind, parts := range map[string][]string{
				symbolon.DenyClient: {client}, symbolon.DenyClientAPI: {client, "https://orders.example.com"}, symbolon.DenyIssuer: {whole.Issuer},
				symbolon.DenyCredential: {client, cred}, symbolon.DenyJTI: {jti}, symbolon.DenyKID: {kid},
			} {
				n, ok := entries[symbolon.NewDenialKey(1, kind, parts...)]
				if _, waits := pending[symbolon.NewDenialKey(0, kind, parts...)]; waits || ok && (n == 0 || gen < n) {
					return "denied"
				}
			}
			return "good"
		}
		if first, both := denied(whole), denied(whole, difference); first != m[6] || both != m[7] {
			t.Errorf("%q: %s, then %s", m[1:], first, both)
		}
	}
}
