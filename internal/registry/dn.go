package registry

import (
	"bytes"
	"cmp"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// DN is a distinguished name. Two of them are compared by what they mean, not
// by how they were written (RFC 8705 §2.1.2 refers to RFC 4514): attribute types
// by their object identifiers, text values without regard to case, to the ASN.1
// string type and to how many spaces divide words (RFC 4517 §4.2.11). Unicode
// normalisation is left out, and so is the removal of characters that are not
// seen: names that differ there are different names here. The zero DN equals
// nothing, not even itself.
type DN struct {
	rdns []rdn // in the order of the DER: the one written last comes first
}

// rdn is a relative distinguished name: a set, kept in order.
type rdn []ava

// ava is one attribute type and its value.
type ava struct {
	oid  string // dotted
	key  string // what is compared: 's' and folded text, or 'd' and the value's DER
	text string // the value as RFC 4514 §2.4 writes it
}

// Bounds of a DN.
const (
	maxDN   = 1024 // octets of its text
	maxRDNs = 64
)

var (
	errNoDN     = errors.New("it is empty")
	errLongDN   = errors.New("it is longer than 1024 octets, or has more than 64 parts")
	errDNValue  = errors.New("a value is empty, or holds control characters or broken UTF-8")
	errDNDER    = errors.New("it is not a DER-encoded name with text values")
	errDNTwice  = errors.New("a part names an attribute type twice")
	errDNHex    = errors.New("a value behind # is not the DER of one value in hexadecimal digits")
	errDNType   = errors.New("an attribute type is neither a known keyword (CN, O, OU, C, L, ST, STREET, DC, UID, …) nor an object identifier")
	errDNEquals = errors.New("a part is not TYPE=VALUE without spaces around the =")
	errDNQuote  = errors.New("a backslash, quotation mark, semicolon, < or > stands where it must be escaped")
)

// ReadDN reads the DER of a name (RFC 5280 §4.1.2.4), as in
// x509.Certificate.RawSubject. What has no certain meaning is an error: a
// control character, text in a character set that nobody decodes alike.
func ReadDN(der []byte) (DN, error) {
	var raw []rawRDNSET
	rest, err := asn1.Unmarshal(der, &raw)
	if err != nil || len(rest) > 0 {
		return DN{}, errDNDER
	}
	switch {
	case len(raw) == 0:
		return DN{}, errNoDN
	case len(raw) > maxRDNs:
		return DN{}, errLongDN
	}
	var d DN
	for _, set := range raw {
		var part rdn
		for _, one := range set {
			key, text, err := readValue(one.Value)
			if err != nil {
				return DN{}, err
			}
			part = append(part, ava{oid: one.Type.String(), key: key, text: text})
		}
		if len(part) == 0 {
			return DN{}, errDNDER
		}
		part.sort()
		d.rdns = append(d.rdns, part)
	}
	return d, nil
}

// rawRDNSET is a SET: package asn1 goes by the end of the name.
type rawRDNSET []rawAVA

type rawAVA struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

func (r rdn) sort() {
	slices.SortFunc(r, func(x, y ava) int { return cmp.Or(cmp.Compare(x.oid, y.oid), cmp.Compare(x.key, y.key)) })
}

// readValue gives what is compared of a value, and how it is written.
func readValue(v asn1.RawValue) (key, text string, err error) {
	decode := textTypes[v.Tag]
	if v.Class != asn1.ClassUniversal || v.IsCompound || decode == nil {
		return "d" + string(v.FullBytes), "#" + hex.EncodeToString(v.FullBytes), nil
	}
	plain, ok := decode(v.Bytes)
	if !ok {
		return "", "", errDNDER
	}
	folded, err := fold(plain)
	if err != nil {
		return "", "", err
	}
	return "s" + folded, escapeDN(plain), nil
}

// textTypes are the ASN.1 string types, each with its decoder. Of TeletexString
// only ASCII has a meaning on which programs agree.
var textTypes = map[int]func([]byte) (string, bool){
	asn1.TagUTF8String:      func(b []byte) (string, bool) { return string(b), utf8.Valid(b) },
	asn1.TagPrintableString: ascii,
	asn1.TagNumericString:   ascii,
	asn1.TagIA5String:       ascii,
	asn1.TagT61String:       ascii,
	26:                      ascii, // VisibleString
	asn1.TagBMPString:       bmp,
	28:                      universal,
}

func ascii(b []byte) (string, bool) {
	return string(b), !bytes.ContainsFunc(b, func(r rune) bool { return r > unicode.MaxASCII })
}

// bmp is UCS-2: two octets a character, no surrogates.
func bmp(b []byte) (string, bool) {
	if len(b)%2 != 0 {
		return "", false
	}
	var out []rune
	for ; len(b) > 0; b = b[2:] {
		r := rune(binary.BigEndian.Uint16(b))
		if utf16.IsSurrogate(r) {
			return "", false
		}
		out = append(out, r)
	}
	return string(out), true
}

// universal is UCS-4.
func universal(b []byte) (string, bool) {
	if len(b)%4 != 0 {
		return "", false
	}
	var out []rune
	for ; len(b) > 0; b = b[4:] {
		r := binary.BigEndian.Uint32(b)
		if r > unicode.MaxRune || !utf8.ValidRune(rune(r)) {
			return "", false
		}
		out = append(out, rune(r))
	}
	return string(out), true
}

// fold gives a text as it is compared (RFC 4518 §2.2, §2.6.1): case folded, no
// spaces at its ends, one between words. A control character is an error, not
// left out: "bill\x00ing" must not become billing.
func fold(text string) (string, error) {
	text = strings.Trim(text, " ")
	if text == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || strings.ContainsRune(text, utf8.RuneError) {
		return "", errDNValue
	}
	var b strings.Builder
	space := false
	for _, r := range text {
		if r == ' ' && space {
			continue
		}
		space = r == ' '
		b.WriteRune(foldRune(r))
	}
	return b.String(), nil
}

// foldRune is the least of the characters that differ from r in case alone.
// unicode.ToLower would not do: it makes an i of the dotted İ, which is another
// letter.
func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return least
}

// Equal reports whether the names mean the same: the same parts in the same
// order, each as a set (RFC 4517 §4.2.15).
func (d DN) Equal(o DN) bool {
	if len(d.rdns) == 0 || len(d.rdns) != len(o.rdns) {
		return false
	}
	same := func(x, y ava) bool { return x.oid == y.oid && x.key == y.key }
	for i := range d.rdns {
		if !slices.EqualFunc(d.rdns[i], o.rdns[i], same) {
			return false
		}
	}
	return true
}

// equalDER is Equal with the DER of a name. What cannot be read equals nothing.
func (d DN) equalDER(der []byte) bool {
	o, err := ReadDN(der)
	return err == nil && d.Equal(o)
}

// String is the name as RFC 4514 §2 writes it, with object identifiers for
// types that its §3 has no keyword for.
func (d DN) String() string {
	var b strings.Builder
	for i := range slices.Backward(d.rdns) {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		for n, one := range d.rdns[i] {
			if n > 0 {
				b.WriteByte('+')
			}
			b.WriteString(cmp.Or(shortTypes[one.oid], one.oid) + "=" + one.text)
		}
	}
	return b.String()
}

// canonical is the same text for all names that are equal, and for no other.
func (d DN) canonical() string {
	var b strings.Builder
	for _, part := range d.rdns {
		b.WriteByte('/')
		for _, one := range part {
			b.WriteString(one.oid + "=" + strconv.QuoteToASCII(one.key) + "+")
		}
	}
	return b.String()
}

// escapeDN writes a value as RFC 4514 §2.4 wants it.
func escapeDN(value string) string {
	var b strings.Builder
	for i, r := range value {
		switch {
		case strings.ContainsRune(`"+,;<>\`, r), r == '#' && i == 0, r == ' ' && (i == 0 || i == len(value)-1):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
