package resource

import (
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
)

// page is docs/revocation-set.md as a validator sees it: the sets' texts in their
// order, the key that signs them, and what is to be said of some tokens.
type page struct {
	keys                      *jose.KeySet
	whole, difference, issuer string
	rows                      [][]string
}

func readPage(t *testing.T) (p page) {
	t.Helper()
	text, err := os.ReadFile("../docs/revocation-set.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile("(?m)^(\\{\"keys\":.*)$").FindSubmatch(text)
	sets := regexp.MustCompile("```text\n(ey\\S+)\n```").FindAllSubmatch(text, -1)
	p.rows = regexp.MustCompile("(?m)^\\| `(\\w+)` \\| `(\\w+)` \\| (\\d+) \\| `(\\w+)` \\| `(\\w+)` \\| (\\w+) \\| (\\w+) \\|$").FindAllStringSubmatch(string(text), -1)
	if keys == nil || len(sets) != 2 || len(p.rows) != 9 {
		t.Fatalf("keys %q, %d sets, %d tokens", keys, len(sets), len(p.rows))
	}
	if p.keys, err = jose.ParseKeySet(keys[1]); err != nil {
		t.Fatal(err)
	}
	p.whole, p.difference, p.issuer = string(sets[0][1]), string(sets[1][1]), "https://auth.example.com"
	return p
}

// at is a follower of the page's issuer at that time.
func (p *page) at(seconds int64) *follower {
	cfg := &Config{Now: func() time.Time { return time.Unix(seconds, 0) }}
	return &follower{cfg: cfg, issuer: p.issuer, keys: p.keys, keysAt: time.Now()}
}

// TestVectorsOfThePage: package resource says of the page's sets and tokens what
// the page says.
func TestVectorsOfThePage(t *testing.T) {
	p := readPage(t)
	const now = 1_800_000_100
	f := p.at(now)
	take := func(held *heldSet, text string) (*heldSet, error) {
		t.Helper()
		set, err := f.open(text, "")
		if err != nil {
			t.Fatal(err)
		}
		return held.take(set, now)
	}
	first, err := take(nil, p.whole)
	if err != nil {
		t.Fatal(err)
	}
	both, err := take(first, p.difference)
	if err != nil {
		t.Fatal(err)
	}
	api := &API{cfg: Config{Audience: "https://orders.example.com"}}
	for _, row := range p.rows {
		gen, _ := strconv.ParseInt(row[3], 10, 64)
		claims := &symbolon.Claims{Issuer: p.issuer, ClientID: row[1], Cred: row[2], Gen: gen, ID: row[4]}
		v := verifiedOf(claims, &jose.Key{ID: row[5]}, nil)
		for i, set := range []*heldSet{first, both} {
			if got := map[bool]string{true: "denied", false: "good"}[api.listed(set, v, gen) >= 0]; got != row[6+i] {
				t.Errorf("after %d sets %q is %s", i+1, row[1:6], got)
			}
		}
	}
	for set, want := range map[*heldSet]string{first: "17 1 xHIsQIMMLoAeDs3h", both: "19 1 6JkzknusfhzH6ZLD"} {
		if got := strings.Join([]string{strconv.FormatInt(set.seq, 10), strconv.FormatInt(set.epoch, 10), set.journal}, " "); got != want {
			t.Errorf("goes on from %s, the page from %s", got, want)
		}
	}
	if _, err := take(both, p.whole); !errors.Is(err, errSetOlder) {
		t.Errorf("the first again: %v", err)
	}
	if _, err := take(nil, p.difference); !errors.Is(err, errSetGap) {
		t.Errorf("the difference alone: %v", err)
	}
	for text, end := range map[string]int64{p.whole: 1_800_000_360, p.difference: 1_800_000_400} {
		if _, err := p.at(end-1).open(text, ""); err != nil {
			t.Errorf("a second before %d: %v", end, err)
		}
		if _, err := p.at(end).open(text, ""); !errors.Is(err, errSetExpiry) {
			t.Errorf("at %d: %v", end, err)
		}
	}
}
