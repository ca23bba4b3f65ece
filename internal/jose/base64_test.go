package jose

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

// TestRFC7515S2Base64Traps: every way in which a base64 text is nearly right.
func TestRFC7515S2Base64Traps(t *testing.T) {
	bad := map[string]string{
		"padding":                  "AA==",
		"one padding":              "AAA=",
		"padding only":             "====",
		"padding in the middle":    "AA==AA",
		"standard alphabet +":      "+A",
		"standard alphabet /":      "/A",
		"loose bits, 4":            "AB",    // of 12 bits the last 4 are lost
		"loose bits, 2":            "AAB",   // of 18 bits the last 2 are lost
		"loose bits, all":          "A_",    //
		"one character":            "A",     // 6 bits are no byte
		"five characters":          "AAAAA", //
		"line feed":                "AA\nAA",
		"carriage return":          "AA\rAA",
		"line break":               "AA\r\nAA",
		"line feed at the end":     "AAAA\n",
		"line feed at the start":   "\nAAAA",
		"only line breaks":         "\r\n\r\n",
		"space":                    "AA AA",
		"space at the end":         "AAAA ",
		"tab":                      "AA\tAA",
		"NUL":                      "AA\x00A",
		"percent escape":           "AA%3D",
		"dot":                      "AA.AA",
		"comma":                    "AA,A",
		"tilde":                    "AA~A",
		"not ASCII":                "AAé",
		"full-width A":             "ＡAAA",
		"invalid UTF-8":            "AA\xff\xfe",
		"high bit set on a letter": "AAA\xc1",
	}
	for name, text := range bad {
		if data, err := DecodeSegment(text); !errors.Is(err, ErrBase64) {
			t.Errorf("%s: %q decoded to %x, %v; want ErrBase64", name, text, data, err)
		}
	}
	// In each part of a token alike, though everything else is right and signed.
	s := must(NewSigner(ed25519TestKey(), EdDSA, "", ""))
	parts := strings.Split(must(s.Sign([]byte("{}"))), ".")
	for i := range parts {
		for name, text := range bad {
			if strings.Contains(text, ".") {
				continue
			}
			broken := append([]string(nil), parts...)
			broken[i] = text
			if _, err := Parse(strings.Join(broken, ".")); !errors.Is(err, ErrBase64) {
				t.Errorf("part %d, %s: %v, want ErrBase64", i, name, err)
			}
		}
	}
}

// TestSegmentRoundTrip compares with encoding/base64 at all lengths up to 300 and all bytes.
func TestSegmentRoundTrip(t *testing.T) {
	data := make([]byte, 0, 300)
	for i := range 300 {
		text := EncodeSegment(data)
		if want := base64.RawURLEncoding.EncodeToString(data); text != want {
			t.Fatalf("%d bytes: %q, want %q", len(data), text, want)
		}
		back, err := DecodeSegment(text)
		if err != nil || !bytes.Equal(back, data) {
			t.Fatalf("%d bytes: %x, %v", len(data), back, err)
		}
		data = append(data, byte(i))
	}
}

// TestSegmentOneTextPerValue: of the texts of up to three characters exactly one decodes to
// each value of up to two bytes.
func TestSegmentOneTextPerValue(t *testing.T) {
	var bytes256 []string
	for c := range 256 {
		bytes256 = append(bytes256, string([]byte{byte(c)}))
	}
	accepted := 0
	for _, a := range bytes256 {
		for _, b := range bytes256 {
			for _, text := range []string{a + b, "A" + a + b} {
				data, err := DecodeSegment(text)
				if err != nil {
					continue
				}
				accepted++
				if EncodeSegment(data) != text {
					t.Fatalf("%q decodes to %x, which is written %q", text, data, EncodeSegment(data))
				}
			}
		}
	}
	// 256 single bytes of two characters; of three characters beginning with A: 4 · 256.
	if want := 256 + 1024; accepted != want {
		t.Errorf("%d texts accepted, want %d", accepted, want)
	}
}
