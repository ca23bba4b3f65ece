package symbolon_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/symbolon/symbolon"
)

// TestDenialKey: the vectors of docs/revocation-set.md, made with sha256sum.
func TestDenialKey(t *testing.T) {
	for _, c := range []struct {
		epoch int64
		kind  string
		parts []string
		want  string
	}{
		{1, symbolon.DenyClient, []string{"billing"}, "znZv7AtTA4cYgSYcqDmjcw"},
		{1, symbolon.DenyClientAPI, []string{"billing", "https://orders.example.com"}, "hcOPFMFBhPwlJb-PmyExbQ"},
		{1, symbolon.DenyIssuer, []string{"https://auth.example.com"}, "MDaZ4HWSj3zh-dmpm7mc9A"},
		{1, symbolon.DenyCredential, []string{"billing", "s1"}, "7eGn57FzDVi3S-K9rbe3ow"},
		{1, symbolon.DenyJTI, []string{"9hB2kZ0tVwqYxR7nLcE4aA"}, "h3zjBnb-JPeK1l0j9Z6Qew"},
		{0, symbolon.DenyKID, []string{"k1"}, "v87FUtxjSXXV4BWdXjVPxw"},
	} {
		if got := symbolon.NewDenialKey(c.epoch, c.kind, c.parts...).String(); got != c.want {
			t.Errorf("%d %s %q: %s, want %s", c.epoch, c.kind, c.parts, got, c.want)
		}
	}
	parts := []string{"billing", "https://orders.example.com"}
	if n := testing.AllocsPerRun(100, func() { symbolon.NewDenialKey(1, symbolon.DenyClientAPI, parts...) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRevocationSetRoundTrip(t *testing.T) {
	set := symbolon.RevocationSet{
		Issuer: "https://auth.example.com", Epoch: 1, Seq: 17, Since: 12, AsOf: 1_800_000_000, Expires: 1_800_000_300,
		Entries: []symbolon.RevocationEntry{
			{Key: symbolon.NewDenialKey(1, symbolon.DenyClient, "billing"), Expires: 1_800_003_600, N: 1<<40 + 17},
			{Key: symbolon.NewDenialKey(1, symbolon.DenyJTI, "x"), Expires: 1_800_003_600},
		},
		Pending: []symbolon.PendingDenial{{ID: "p1", Key: symbolon.NewDenialKey(0, symbolon.DenyKID, "k1"), Expires: 1_800_003_600}},
		Merged:  []string{"p0"},
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	got, err := symbolon.ParseRevocationSet(text)
	if err != nil || !reflect.DeepEqual(*got, set) {
		t.Fatalf("%v\n%s\n%+v", err, text, got)
	}
}

func TestRevocationSetMalformed(t *testing.T) {
	const good = `{"iss":"i","epoch":1,"seq":3,"as_of":5,"exp":9,"entries":[["AAAAAAAAAAAAAAAAAAAAAA",7,2]],"pending":[],"merged":[]}`
	if _, err := symbolon.ParseRevocationSet([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"no issuer":                {`"iss":"i",`, ``},
		"no time of contact":       {`"as_of":5,`, ``},
		"no end":                   {`"exp":9,`, ``},
		"no entries":               {`"entries":[["AAAAAAAAAAAAAAAAAAAAAA",7,2]],`, ``},
		"entries that are null":    {`[["AAAAAAAAAAAAAAAAAAAAAA",7,2]]`, `null`},
		"no pending":               {`"pending":[],`, ``},
		"no merged":                {`,"merged":[]`, ``},
		"a difference to the past": {`"seq":3`, `"seq":3,"since":4`},
		"a negative position":      {`"seq":3`, `"seq":-3`},
		"a fractional position":    {`"seq":3`, `"seq":3.5`},
		"a short key":              {`"AAAAAAAAAAAAAAAAAAAAAA"`, `"AAAAAAAAAAAAAAAAAAAAA"`},
		"a key with loose bits":    {`"AAAAAAAAAAAAAAAAAAAAAA"`, `"AAAAAAAAAAAAAAAAAAAAAB"`},
		"a padded key":             {`"AAAAAAAAAAAAAAAAAAAAAA"`, `"AAAAAAAAAAAAAAAAAAAAA="`},
		"a key that is a number":   {`"AAAAAAAAAAAAAAAAAAAAAA"`, `7`},
		"an entry without expiry":  {`,7,2]`, `]`},
		"an entry with more":       {`,7,2]`, `,7,2,1]`},
		"an expiry of zero":        {`,7,2]`, `,0,2]`},
		"n of zero":                {`,7,2]`, `,7,0]`},
		"n beyond 2⁵³":             {`,7,2]`, `,7,9007199254740992]`},
		"an expiry beyond 2⁵³":     {`,7,2]`, `,9223372036854775807,2]`},
		"an end beyond 2⁵³":        {`"exp":9,`, `"exp":9007199254740992,`},
		"n as text":                {`,7,2]`, `,7,"2"]`},
		"pending without id":       {`"pending":[]`, `"pending":[["","AAAAAAAAAAAAAAAAAAAAAA",7]]`},
		"pending without expiry":   {`"pending":[]`, `"pending":[["p","AAAAAAAAAAAAAAAAAAAAAA"]]`},
		"something behind":         {`"merged":[]}`, `"merged":[]}{}`},
	} {
		text := strings.Replace(good, change[0], change[1], 1)
		if text == good {
			t.Fatalf("%s: nothing changed", name)
		}
		if got, err := symbolon.ParseRevocationSet([]byte(text)); err == nil {
			t.Errorf("%s: taken as %+v", name, got)
		}
	}
}
