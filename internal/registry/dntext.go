package registry

import (
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"
)

// shortTypes are the keywords of RFC 4514 §3 by their object identifiers.
var shortTypes = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
}

// typeNames are the object identifiers of attribute types by the names that
// OpenSSL, Java and directories write, in lower case. A name that programs read
// as different types, such as S or T, is not among them.
var typeNames = map[string]string{
	"cn": "2.5.4.3", "commonname": "2.5.4.3",
	"sn": "2.5.4.4", "surname": "2.5.4.4",
	"serialnumber": "2.5.4.5",
	"c":            "2.5.4.6", "countryname": "2.5.4.6",
	"l": "2.5.4.7", "localityname": "2.5.4.7",
	"st": "2.5.4.8", "stateorprovincename": "2.5.4.8",
	"street": "2.5.4.9", "streetaddress": "2.5.4.9",
	"o": "2.5.4.10", "organizationname": "2.5.4.10",
	"ou": "2.5.4.11", "organizationalunitname": "2.5.4.11",
	"title":            "2.5.4.12",
	"businesscategory": "2.5.4.15",
	"postalcode":       "2.5.4.17",
	"name":             "2.5.4.41",
	"gn":               "2.5.4.42", "givenname": "2.5.4.42",
	"initials": "2.5.4.43", "generationqualifier": "2.5.4.44",
	"dnqualifier": "2.5.4.46", "dnq": "2.5.4.46",
	"pseudonym":              "2.5.4.65",
	"organizationidentifier": "2.5.4.97",
	"uid":                    "0.9.2342.19200300.100.1.1", "userid": "0.9.2342.19200300.100.1.1",
	"dc": "0.9.2342.19200300.100.1.25", "domaincomponent": "0.9.2342.19200300.100.1.25",
	"emailaddress": "1.2.840.113549.1.9.1", "e": "1.2.840.113549.1.9.1",
	"jurisdictionl": "1.3.6.1.4.1.311.60.2.1.1", "jurisdictionst": "1.3.6.1.4.1.311.60.2.1.2", "jurisdictionc": "1.3.6.1.4.1.311.60.2.1.3",
}

// ParseDN reads the text of RFC 4514 §3: the part that stands last in the
// certificate comes first, as in "CN=billing,O=Example,C=DE". As older programs
// do, it takes spaces around the commas and a value in quotation marks (RFC 2253
// §4). It does not take what OpenSSL and curl print by default ("C = DE, O =
// Example", "/C=DE/O=Example", "C=DE; O=Example"): there the order is the other
// one, and a name read backwards would fit no certificate, without a word.
func ParseDN(text string) (DN, error) {
	switch {
	case strings.Trim(text, " ") == "":
		return DN{}, errNoDN
	case len(text) > maxDN:
		return DN{}, errLongDN
	}
	p := dnParser{rest: text}
	var d DN
	for {
		part, last, err := p.rdn()
		if err != nil {
			return DN{}, err
		}
		d.rdns = append(d.rdns, part)
		if last {
			break
		}
	}
	if len(d.rdns) > maxRDNs {
		return DN{}, errLongDN
	}
	slices.Reverse(d.rdns)
	return d, nil
}

// dnParser reads the text from its beginning.
type dnParser struct{ rest string }

// rdn reads a part and the comma behind it, if there is one.
func (p *dnParser) rdn() (part rdn, last bool, err error) {
	for {
		one, err := p.ava()
		if err != nil {
			return nil, false, err
		}
		if slices.ContainsFunc(part, func(o ava) bool { return o.oid == one.oid }) {
			return nil, false, errDNTwice
		}
		part = append(part, one)
		if p.rest == "" {
			part.sort()
			return part, true, nil
		}
		mark := p.rest[0] // a comma or a plus: value stops at nothing else
		p.rest = p.rest[1:]
		if mark == ',' {
			part.sort()
			return part, false, nil
		}
	}
}

func (p *dnParser) ava() (ava, error) {
	name, rest, found := strings.Cut(strings.TrimLeft(p.rest, " "), "=")
	if !found || strings.Contains(name, " ") || strings.HasPrefix(rest, " ") {
		return ava{}, errDNEquals
	}
	p.rest = rest
	one := ava{oid: typeID(name)}
	if one.oid == "" {
		return ava{}, errDNType
	}
	var err error
	if strings.HasPrefix(rest, "#") {
		one.key, one.text, err = p.hexValue()
		return one, err
	}
	value, err := p.value()
	if err != nil {
		return ava{}, err
	}
	folded, err := fold(value)
	if err != nil {
		return ava{}, err
	}
	one.key, one.text = "s"+folded, escapeDN(value)
	return one, nil
}

// typeID is the object identifier that a type's name or number means; "" when
// there is none.
func typeID(name string) string {
	name = strings.ToLower(name)
	if oid := typeNames[name]; oid != "" {
		return oid
	}
	name = strings.TrimPrefix(name, "oid.") // as Java writes it
	arcs := strings.Split(name, ".")
	if len(arcs) < 2 {
		return ""
	}
	for _, arc := range arcs {
		if arc == "" || len(arc) > 1 && arc[0] == '0' || strings.ContainsFunc(arc, func(r rune) bool { return r < '0' || r > '9' }) {
			return ""
		}
	}
	return name
}

// hexValue reads # and the hexadecimal digits of a value's DER.
func (p *dnParser) hexValue() (key, text string, err error) {
	end := strings.IndexAny(p.rest, ",+")
	if end < 0 {
		end = len(p.rest)
	}
	der, err := hex.DecodeString(strings.TrimRight(p.rest[1:end], " "))
	if err != nil {
		return "", "", errDNHex
	}
	p.rest = p.rest[end:]
	var v asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) > 0 {
		return "", "", errDNHex
	}
	return readValue(v)
}

// value reads a text up to the comma, plus or end behind it. Spaces at its end
// do not belong to it unless they are escaped.
func (p *dnParser) value() (string, error) {
	quoted := strings.HasPrefix(p.rest, `"`)
	if quoted {
		p.rest = p.rest[1:]
	}
	var b []byte
	keep := 0 // length up to which spaces are meant
	for p.rest != "" {
		c := p.rest[0]
		switch {
		case c == '\\':
			octet, err := p.escaped()
			if err != nil {
				return "", err
			}
			b = append(b, octet)
			keep = len(b)
			continue
		case quoted && c == '"':
			p.rest = strings.TrimLeft(p.rest[1:], " ")
			if p.rest != "" && p.rest[0] != ',' && p.rest[0] != '+' {
				return "", errDNQuote
			}
			return string(b), nil
		case !quoted && (c == ',' || c == '+'):
			return string(trimAfter(b, keep)), nil
		case !quoted && strings.IndexByte(`";<>`, c) >= 0:
			return "", errDNQuote
		}
		b = append(b, c)
		p.rest = p.rest[1:]
	}
	if quoted {
		return "", errDNQuote
	}
	return string(trimAfter(b, keep)), nil
}

func trimAfter(b []byte, keep int) []byte {
	for len(b) > keep && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// escaped reads a backslash and the character or the two hexadecimal digits
// behind it (RFC 4514 §3: pair).
func (p *dnParser) escaped() (byte, error) {
	if len(p.rest) >= 2 && strings.IndexByte(` "#+,;<=>\`, p.rest[1]) >= 0 {
		c := p.rest[1]
		p.rest = p.rest[2:]
		return c, nil
	}
	if len(p.rest) >= 3 {
		if b, err := hex.DecodeString(p.rest[1:3]); err == nil {
			p.rest = p.rest[3:]
			return b[0], nil
		}
	}
	return 0, errDNQuote
}
