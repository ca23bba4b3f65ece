package dpop

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/symbolon/symbolon/internal/jose"
)

const place = "https://auth.example.com"

func TestNonceLivesFiveMinutes(t *testing.T) {
	n := NewNonces(NonceKey{1})
	for _, issued := range []time.Time{testNow, testNow.Add(29999 * time.Millisecond)} {
		nonce := n.Issue(place, issued)
		for _, c := range []struct {
			after time.Duration
			good  bool
		}{
			{0, true}, {time.Second, true}, {4*time.Minute + 30*time.Second, true}, {5 * time.Minute, false}, {time.Hour, false},
			{-time.Second, true}, {-30 * time.Second, true}, {-61 * time.Second, false}, {-time.Hour, false},
		} {
			if got := n.Check(place, nonce, issued.Add(c.after)); got != c.good {
				t.Errorf("issued %v, %v after: %v", issued, c.after, got)
			}
		}
	}
}

func TestNonceRefuses(t *testing.T) {
	key := NonceKey{1}
	n := NewNonces(key)
	nonce := n.Issue(place, testNow)
	if n.Issue(place, testNow.Add(29*time.Second)) != nonce || n.Issue(place, testNow.Add(30*time.Second)) == nonce {
		t.Error("a nonce is not the same one for 30 seconds, and another one then")
	}
	for i := range nonce {
		for _, c := range []string{"A", "B", "-", "=", "\n", "+"} {
			if changed := nonce[:i] + c + nonce[i+1:]; changed != nonce && n.Check(place, changed, testNow) {
				t.Errorf("%s is taken for %s", changed, nonce)
			}
		}
	}
	for name, text := range map[string]string{
		"empty": "", "cut": nonce[1:], "longer": nonce + "A", "padded": nonce + "=", "white space": " " + nonce, "long": strings.Repeat("A", 1<<20),
		"another place": n.Issue("https://auth.example.com/partners", testNow), "no place": n.Issue("", testNow),
		"another key": NewNonces(NonceKey{2}).Issue(place, testNow),
	} {
		if n.Check(place, text, testNow) {
			t.Errorf("%s is taken", name)
		}
	}
	// The MAC covers the step: yesterday's nonce cannot be given today's time.
	old, raw := must(jose.DecodeSegment(n.Issue(place, testNow.Add(-24*time.Hour)))), must(jose.DecodeSegment(nonce))
	copy(raw[stepSize:], old[stepSize:])
	if n.Check(place, jose.EncodeSegment(raw), testNow) {
		t.Error("an old MAC under a new step is taken")
	}
}

// TestNonceKeysAreExchanged: instances that already have the new key and instances that do
// not yet have it take each other's nonces.
func TestNonceKeysAreExchanged(t *testing.T) {
	older, newer := NonceKey{1}, NonceKey{2}
	before, between, after := NewNonces(older, newer), NewNonces(newer, older), NewNonces(newer)
	for _, c := range []struct {
		name     string
		from, to *Nonces
		good     bool
	}{
		{"before to between", before, between, true}, {"between to before", between, before, true},
		{"between to after", between, after, true}, {"before to after", before, after, false},
	} {
		if got := c.to.Check(place, c.from.Issue(place, testNow), testNow); got != c.good {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestNonceProperties: every nonce is good where and when it was made, is text that goes into
// a header and into a proof (RFC 9449 §8.1), and is good nowhere else.
func TestNonceProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var key NonceKey
		copy(key[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
		n := NewNonces(key)
		a, b := rapid.String().Draw(t, "place"), rapid.String().Draw(t, "another place")
		now := time.Unix(rapid.Int64Range(-1e12, 1e13).Draw(t, "now"), 0)
		nonce := n.Issue(a, now)
		if len(nonce) != nonceText || !nonceChars(nonce) {
			t.Fatalf("nonce %q", nonce)
		}
		later := now.Add(time.Duration(rapid.Int64Range(0, int64(4*time.Minute+30*time.Second)).Draw(t, "later")))
		if !n.Check(a, nonce, now) || !n.Check(a, nonce, later) && later.Unix()/30>>40 == now.Unix()/30>>40 {
			t.Fatal("a good nonce is refused")
		}
		if a != b && n.Check(b, nonce, now) {
			t.Fatal("a nonce is good at another place")
		}
	})
}

// TestNonceKeyRedacts under every verb and in JSON.
func TestNonceKeyRedacts(t *testing.T) {
	key := NonceKey([]byte("0123456789abcdefghijklmnopqrstuv"))
	n := NewNonces(key, key)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", key, "pointer", &key, "nonces", n)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key, "nonces", n)
	said := log.String() + string(must(json.Marshal(key))) + string(must(json.Marshal(map[string]any{"k": &key, "n": n})))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U"} {
		said += fmt.Sprintf(verb, key) + fmt.Sprintf(verb, &key) + fmt.Sprintf(verb, n) + fmt.Sprintf(verb, struct{ K NonceKey }{key})
	}
	for _, secret := range []string{"0123456789", "48 49 50", "48,49,50", "303132", "0x30", "60 61 62", "110000", "U+0030", "'0'", "[0 1"} {
		if strings.Contains(said, secret) {
			t.Errorf("%s is in %s", secret, said)
		}
	}
}

// TestNoncesAreWorkedOutOnce: a place's nonce costs no MAC and no memory while it is known,
// and strangers cannot make the memory grow.
func TestNoncesAreWorkedOutOnce(t *testing.T) {
	n := NewNonces(NonceKey{1}, NonceKey{2})
	nonce := n.Issue(place, testNow)
	if allocs := testing.AllocsPerRun(100, func() {
		if n.Issue(place, testNow) != nonce || !n.Check(place, nonce, testNow.Add(4*time.Minute)) {
			t.Fatal("another nonce")
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	var raw [nonceSize]byte
	for step := range int64(5000) {
		putStep(raw[:stepSize], stepAt(testNow)-2500+step)
		n.Check(place, jose.EncodeSegment(raw[:]), testNow)
	}
	for i := range 1000 { // 8 hours
		n.Issue(place, testNow.Add(time.Duration(i)*nonceStep))
	}
	if most := nonceSteps + nonceAhead; len(n.worked) > most {
		t.Errorf("%d nonces of one place are kept, want at most %d", len(n.worked), most)
	}
	if !n.Check(place, nonce, testNow) { // a clock that was set back
		t.Error("a nonce is refused that was forgotten")
	}
}
