package jose

import (
	"bytes"
	"encoding/base64"
)

// segmentEncoding refuses padding, the standard alphabet and loose trailing bits. It does
// not refuse line breaks, which decode does.
var segmentEncoding = base64.RawURLEncoding.Strict()

// EncodeSegment returns data in base64url without padding (RFC 7515 §2).
func EncodeSegment(data []byte) string {
	return segmentEncoding.EncodeToString(data)
}

// AppendSegment is [EncodeSegment] at the end of dst.
func AppendSegment(dst, data []byte) []byte { return segmentEncoding.AppendEncode(dst, data) }

// DecodeSegment is the inverse of [EncodeSegment], and of nothing else: whatever it accepts
// encodes to the same text again. All other input is [ErrBase64].
func DecodeSegment(s string) ([]byte, error) {
	dst := make([]byte, segmentEncoding.DecodedLen(len(s)))
	n, err := decodeSegment(dst, []byte(s))
	if err != nil {
		return nil, err
	}
	return dst[:n], nil
}

// decodeSegment decodes src into dst, which has room for it, and returns how much it wrote.
func decodeSegment(dst, src []byte) (int, error) {
	// RFC 7515 §2: no line breaks, whitespace, or other additional characters. The decoder of
	// encoding/base64 refuses all of them but these two, which it skips, Strict or not.
	if bytes.IndexByte(src, '\n') >= 0 || bytes.IndexByte(src, '\r') >= 0 {
		return 0, ErrBase64
	}
	n, err := segmentEncoding.Decode(dst, src)
	if err != nil {
		return 0, ErrBase64 // the decoder's own error tells an offset in the secret
	}
	return n, nil
}
