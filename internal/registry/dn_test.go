package registry

import (
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"testing"
)

// name writes the DER of a name: one RDN per argument, "type tag value" each,
// several with a + between them.
func name(t testing.TB, rdns ...string) []byte {
	t.Helper()
	var raw []rawRDNSET
	for _, text := range rdns {
		var set rawRDNSET
		for one := range strings.SplitSeq(text, " + ") {
			part := strings.SplitN(one, " ", 3)
			var oid asn1.ObjectIdentifier
			for arc := range strings.SplitSeq(typeID(part[0]), ".") {
				n := 0
				for _, d := range arc {
					n = 10*n + int(d-'0')
				}
				oid = append(oid, n)
			}
			tags := map[string]int{"utf8": 12, "printable": 19, "t61": 20, "ia5": 22, "visible": 26, "universal": 28, "bmp": 30, "octets": 4, "numeric": 18}
			value := asn1.RawValue{Tag: tags[part[1]], Bytes: []byte(part[2])}
			var err error
			if value.FullBytes, err = asn1.Marshal(value); err != nil {
				t.Fatal(err)
			}
			set = append(set, rawAVA{oid, value})
		}
		raw = append(raw, set)
	}
	der, err := asn1.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// What a DN in a document and a name in a certificate have in common.
func TestDNMatches(t *testing.T) {
	for _, tt := range []struct {
		name string
		text string
		der  []byte
		same bool
	}{
		{"RFC 4514 §4: three parts, the last comes first", "UID=jsmith,DC=example,DC=net", name(t, "dc ia5 net", "dc ia5 example", "uid utf8 jsmith"), true},
		{"the order of the certificate", "DC=net,DC=example,UID=jsmith", name(t, "dc ia5 net", "dc ia5 example", "uid utf8 jsmith"), false},
		{"RFC 4514 §4: several values in a part", "OU=Sales+CN=J.  Smith,DC=example,DC=net", name(t, "dc ia5 net", "dc ia5 example", "ou utf8 Sales + cn utf8 J.  Smith"), true},
		{"in another order", "CN=J.  Smith+OU=Sales,DC=example,DC=net", name(t, "dc ia5 net", "dc ia5 example", "ou utf8 Sales + cn utf8 J.  Smith"), true},
		{"several values are not several parts", "OU=Sales,CN=J.  Smith,DC=example,DC=net", name(t, "dc ia5 net", "dc ia5 example", "ou utf8 Sales + cn utf8 J.  Smith"), false},
		{"a value too few", "OU=Sales,DC=example,DC=net", name(t, "dc ia5 net", "dc ia5 example", "ou utf8 Sales + cn utf8 J. Smith"), false},
		{"RFC 4514 §4: escaped marks", `CN=James \"Jim\" Smith\, III,DC=example,DC=net`, name(t, "dc ia5 net", "dc ia5 example", `cn utf8 James "Jim" Smith, III`), true},
		{"RFC 4514 §4: the hexadecimal form", "1.3.6.1.4.1.1466.0=#04024869", name(t, "1.3.6.1.4.1.1466.0 octets Hi"), true},
		{"the hexadecimal form of text", "CN=#0C0762696c6c696e67", name(t, "cn printable Billing"), true},
		{"octets are not text", "1.3.6.1.4.1.1466.0=Hi", name(t, "1.3.6.1.4.1.1466.0 octets Hi"), false},
		{"octets are compared as they stand", "1.3.6.1.4.1.1466.0=#04026869", name(t, "1.3.6.1.4.1.1466.0 octets Hi"), false},
		{"RFC 4514 §4: UTF-8 by its octets", `CN=Lu\C4\8Di\C4\87`, name(t, "cn utf8 Lučić"), true},
		{"UTF-8 as it is", `CN=Lučić`, name(t, "cn utf8 Lučić"), true},
		{"UTF8String and PrintableString", "O=Example,CN=billing", name(t, "cn printable billing", "o utf8 Example"), true},
		{"BMPString", "CN=ab", name(t, "cn bmp \x00a\x00b"), true},
		{"UniversalString", "CN=ab", name(t, "cn universal \x00\x00\x00a\x00\x00\x00b"), true},
		{"TeletexString of ASCII", "CN=ab", name(t, "cn t61 ab"), true},
		{"TeletexString of something else", `CN=a\C3\A4`, name(t, "cn t61 a\xe4"), false},
		{"NumericString", "2.5.4.5=12 3", name(t, "serialnumber numeric 12 3"), true},
		{"case of values", "cn=BILLING, o=example", name(t, "o utf8 Example", "cn utf8 Billing"), true},
		{"case beyond ASCII", "CN=ÄÖ", name(t, "cn utf8 äö"), true},
		{"the dotted İ is no i", "CN=bİlling", name(t, "cn utf8 billing"), false},
		{"the other form of a letter, composed otherwise", "CN=\u00e4", name(t, "cn utf8 a\u0308"), false},
		{"a letter of another alphabet", "CN=bіlling", name(t, "cn utf8 billing"), false},
		{"spaces inside count as one", "CN=Nightly  billing", name(t, "cn utf8 Nightly billing"), true},
		{"spaces around", `CN=\ billing\ `, name(t, "cn utf8 billing"), true},
		{"spaces count", "CN=Nightlybilling", name(t, "cn utf8 Nightly billing"), false},
		{"a keyword or its number", "2.5.4.3=billing,OID.2.5.4.10=Example", name(t, "o utf8 Example", "cn utf8 billing"), true},
		{"another type", "OU=billing", name(t, "cn utf8 billing"), false},
		{"a part too few", "CN=billing", name(t, "o utf8 Example", "cn utf8 billing"), false},
		{"a part too many", "CN=billing,O=Example", name(t, "cn utf8 billing"), false},
		{"a part that looks like two", `CN=billing\,O=Example`, name(t, "o utf8 Example", "cn utf8 billing"), false},
		{"the other way round", `CN=billing,O=Example`, name(t, "cn utf8 billing,O=Example"), false},
		{"RFC 2253 §4: quotation marks, as Java writes them", `CN="Smith, James", O=Ex`, name(t, "o utf8 Ex", "cn utf8 Smith, James"), true},
		{"Java's toString", "EMAILADDRESS=a@example.com, CN=Duke, OU=Java Software, O=Oracle, C=US", name(t, "c printable US", "o utf8 Oracle", "ou utf8 Java Software", "cn utf8 Duke", "emailaddress ia5 a@example.com"), true},
		{"a NUL in the certificate", "CN=billing", name(t, "cn utf8 billing\x00.attacker"), false},
		{"a NUL at the end", "CN=billing", name(t, "cn utf8 billing\x00"), false},
		{"a soft hyphen", "CN=billing", name(t, "cn utf8 bill\u00ading"), false},
		{"an empty name", "CN=billing", name(t), false},
		{"broken UTF-8", "CN=billing", name(t, "cn utf8 billing\xff"), false},
		{"not DER", "CN=billing", []byte{0x30, 0x80}, false},
		{"something behind it", "CN=billing", append(name(t, "cn utf8 billing"), 0), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseDN(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.equalDER(tt.der); got != tt.same {
				t.Errorf("%s and %x: %v", tt.text, tt.der, got)
			}
			again, err := ParseDN(d.String())
			if err != nil || !again.Equal(d) || again.canonical() != d.canonical() {
				t.Errorf("%s is written as %s, which is another name: %v", tt.text, d, err)
			}
			if o, err := ReadDN(tt.der); err == nil && (o.canonical() == d.canonical()) != tt.same {
				t.Errorf("the canonical texts disagree: %s, %s", o.canonical(), d.canonical())
			}
		})
	}
}

func TestParseDNRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                          "",
		"spaces":                           "  ",
		"no type":                          "billing",
		"an unknown type":                  "FOO=billing",
		"S, which is ST or surname":        "S=Bavaria",
		"an empty type":                    "=billing",
		"half a number":                    "2.=billing",
		"a number with a leading zero":     "2.05.4=billing",
		"an empty value":                   "CN=",
		"an empty value inside":            "CN=,O=Example",
		"a value of spaces":                `CN=\ `,
		"a comma at the end":               "CN=billing,",
		"a plus at the end":                "CN=billing+",
		"a type twice in a part":           "CN=a+CN=b",
		"as OpenSSL prints it":             "C = DE, O = Example, CN = billing",
		"as OpenSSL printed it":            "/C=DE/O=Example/CN=billing",
		"as curl prints it":                "C=DE; O=Example; CN=billing",
		"a quotation mark inside":          `CN=bill"ing`,
		"a quotation mark that stays open": `CN="billing`,
		"something behind the quotes":      `CN="bill"ing`,
		"an angle bracket":                 "CN=<billing>",
		"a backslash at the end":           `CN=billing\`,
		"a backslash before a letter":      `CN=bill\ing`,
		"half an octet":                    `CN=bill\4`,
		"RFC 4514 §4: a control character": `CN=Before\0dAfter,DC=example,DC=net`,
		"a NUL":                            `CN=a\00b`,
		"a line break":                     "CN=a\nb",
		"broken UTF-8":                     `CN=a\C3`,
		"hexadecimal without digits":       "CN=#",
		"hexadecimal, odd":                 "CN=#040",
		"hexadecimal of no DER":            "CN=#0c05",
		"hexadecimal of two values":        "CN=#0c01610c0161",
		"hexadecimal with a control":       "CN=#0c0100",
		"too long":                         "CN=" + strings.Repeat("a", maxDN),
		"too many parts":                   strings.Repeat("CN=a,", 64) + "CN=a",
	} {
		if d, err := ParseDN(text); err == nil {
			t.Errorf("%s: %q is %s", name, text, d)
		}
	}
	if (DN{}).Equal(DN{}) {
		t.Error("no name equals no name")
	}
}

// What is written is what RFC 4514 §2.4 wants.
func TestDNText(t *testing.T) {
	for _, tt := range []struct {
		der  []byte
		want string
	}{
		{name(t, "dc ia5 net", "dc ia5 example", "ou utf8 Sales + cn utf8 J.  Smith"), "OU=Sales+CN=J.  Smith,DC=example,DC=net"},
		{name(t, `cn utf8 James "Jim" Smith, III`), `CN=James \"Jim\" Smith\, III`},
		{name(t, "cn utf8  # a+b;<c>=d\\ "), `CN=\ # a\+b\;\<c\>=d\\\ `},
		{name(t, "cn utf8 #1"), `CN=\#1`},
		{name(t, "1.3.6.1.4.1.1466.0 octets Hi"), "1.3.6.1.4.1.1466.0=#04024869"},
		{name(t, "organizationidentifier utf8 PSDDE-1"), "2.5.4.97=PSDDE-1"},
	} {
		d, err := ReadDN(tt.der)
		if err != nil || d.String() != tt.want {
			t.Errorf("%s, want %s (%v)", d, tt.want, err)
		}
	}
}

// Whatever is read is written so that it is read as the same, and equals only
// its like.
func FuzzDN(f *testing.F) {
	for _, text := range []string{"CN=a,O=b", `CN=\ #"+,;<=>\\`, "OU=a+CN=b,2.5.4.97=#0c0161", `CN="a, b"`} {
		f.Add(text)
	}
	f.Add("CN=a,O=\\C4\\8D")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDN(text)
		if err != nil {
			return
		}
		again, err := ParseDN(d.String())
		if len(d.String()) > maxDN {
			return // escapes made it longer than what is taken
		}
		if err != nil || !again.Equal(d) || !d.Equal(again) || again.canonical() != d.canonical() {
			t.Fatalf("%q is written as %q (%v), %s", text, d, err, hex.EncodeToString([]byte(d.canonical())))
		}
	})
}
