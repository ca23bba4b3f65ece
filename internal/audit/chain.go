package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
)

// digest is the hash of one line: a link of the chain.
type digest = [sha256.Size]byte

const (
	digestText = 43 // octets of a digest in base64url
	hashMember = `,"hash":"`
	// hashSize are the octets of a line from hashMember to its last brace.
	hashSize = len(hashMember) + digestText + len(`"}`)
)

func appendDigest(dst []byte, d digest) []byte {
	return base64.RawURLEncoding.AppendEncode(dst, d[:])
}

// link gives the hash of a line whose text up to the hash member is body.
func link(prev digest, body []byte) digest {
	h := sha256.New()
	h.Write(prev[:])
	h.Write(body)
	var d digest
	h.Sum(d[:0])
	return d
}

// appendHash closes a line: body is what dst holds from start on, and the
// digest.Size octets before start are scratch for the hash of the line before,
// so that one pass over contiguous memory hashes both.
func appendHash(dst []byte, start int, prev digest) ([]byte, digest) {
	scratch := start - sha256.Size
	copy(dst[scratch:], prev[:])
	d := sha256.Sum256(dst[scratch:])
	dst = append(dst, hashMember...)
	dst = appendDigest(dst, d)
	return append(dst, "\"}\n"...), d
}

// claimed splits a line (without its line break) into the text that the hash is
// over and the hash that the line says it has. ok is false when it has none.
func claimed(line []byte) (body []byte, d digest, ok bool) {
	at := len(line) - hashSize
	if at < 0 || !bytes.HasPrefix(line[at:], []byte(hashMember)) || !bytes.HasSuffix(line, []byte(`"}`)) {
		return nil, d, false
	}
	d, ok = parseDigest(line[at+len(hashMember) : len(line)-len(`"}`)])
	return line[:at], d, ok
}

// parseDigest reads a digest in its one spelling: the decoder skips line breaks,
// and two texts for one hash would be an alteration that nobody sees.
func parseDigest(text []byte) (d digest, ok bool) {
	if len(text) != digestText {
		return d, false
	}
	if _, err := base64.RawURLEncoding.Decode(d[:], text); err != nil {
		return d, false
	}
	var again [digestText]byte
	base64.RawURLEncoding.Encode(again[:], d[:])
	return d, bytes.Equal(again[:], text)
}

// numberOf reads the number of a record, the last member before the hash.
func numberOf(line []byte) (int64, bool) {
	if len(line) < hashSize {
		return 0, false
	}
	tail := line[max(0, len(line)-hashSize-32) : len(line)-hashSize]
	i := bytes.LastIndex(tail, []byte(`,"n":`))
	if i < 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(tail[i+len(`,"n":`):]), 10, 64)
	return n, err == nil && n > 0
}

// fits reports whether line follows the line whose hash is prev.
func fits(prev digest, line []byte) (digest, bool) {
	body, d, ok := claimed(line)
	return d, ok && link(prev, body) == d
}

// formatVersion is the version of segments that this build writes, and the newest
// that it reads.
const formatVersion = 1

// header is the first line of a segment.
type header struct {
	Spool   string `json:"spool"` // random, the same in all segments of a spool
	V       int    `json:"v"`     // format of the segment
	Segment int64  `json:"segment"`
	Node    string `json:"node"`
	Time    string `json:"time"`   // when it was begun
	First   int64  `json:"first"`  // number of its first record
	Oldest  int64  `json:"oldest"` // the oldest segment that is kept: earlier ones were removed on purpose
	Prev    string `json:"prev"`   // hash of the last line of the segment before
	// Presented is when the last of what was presented in the segment before
	// expires, in seconds since 1970; 0: nothing was. nil: not known.
	Presented *int64  `json:"presented,omitempty"`
	Damage    *Damage `json:"damage,omitempty"` // what was found in the segment before when this one was begun
	Hash      string  `json:"hash,omitempty"`
}

// appendTo appends the line of h, chained to prev. Dst has sha256.Size octets of
// scratch before the line, as in appendHash.
func (h *header) appendTo(dst []byte, prev digest) ([]byte, digest, error) {
	h.V, h.Hash = formatVersion, ""
	h.Prev = string(appendDigest(nil, prev))
	text, err := json.Marshal(h)
	if err != nil {
		return nil, digest{}, fmt.Errorf("audit: header of segment %d: %w", h.Segment, err)
	}
	start := len(dst)
	dst = append(dst, text[:len(text)-1]...)
	dst, d := appendHash(dst, start, prev)
	return dst, d, nil
}

// parseHeader reads the first line of a segment.
func parseHeader(line []byte) (header, error) {
	var h header
	if err := json.Unmarshal(line, &h); err != nil || h.Spool == "" || h.Segment < 1 {
		return h, fmt.Errorf("audit: the first line is not the header of a segment")
	}
	if h.V > formatVersion {
		return h, fmt.Errorf("audit: segment %d has format %d, this version reads up to %d: use the version that wrote it", h.Segment, h.V, formatVersion)
	}
	return h, nil
}

// parseRecord reads a line that is a record.
func parseRecord(line []byte) (*Record, error) {
	r := new(Record)
	if err := json.Unmarshal(line, r); err != nil {
		return nil, fmt.Errorf("audit: a line is not a record: %w", err)
	}
	return r, nil
}
