package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// ErrNotFound: no record in the spool is the one that was asked for. It may have
// been removed for its age, or be in another node's spool.
var ErrNotFound = errors.New("audit: no such record in this spool: it is older than what is kept (audit.keep), or another node has it")

// Query selects records. Empty members select everything.
type Query struct {
	Issuer, Client, Cred    string
	Endpoint, Outcome, Code string
	RequestID               string
	Since, Until            time.Time // Since ≤ time < Until
	Text                    string    // part of any value, in any case of its ASCII letters
	Before                  int64     // only records with a smaller number: N of the last one of the page before
	Limit                   int       // default 100, at most 1000
}

// Find returns the newest record of a request.
func Find(ctx context.Context, dir, requestID string) (*Record, error) {
	found, err := Search(ctx, dir, Query{RequestID: requestID, Limit: 1})
	if err != nil {
		return nil, err
	}
	if requestID == "" || len(found) == 0 {
		return nil, ErrNotFound
	}
	return found[0], nil
}

// clockSlack is how far times in a segment may be before the one of its header.
const clockSlack = 5 * time.Minute

// Search returns the newest records that the query selects, newest first. It reads
// segment by segment from the newest on, in bounded memory, and does not verify.
func Search(ctx context.Context, dir string, q Query) ([]*Record, error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	q.Limit = min(q.Limit, 1000)
	all, err := segments(dir)
	if err != nil {
		return nil, err
	}
	var found []*Record
	m := q.matcher()
	for _, number := range slices.Backward(all) {
		part, older, err := m.segment(ctx, segmentPath(dir, number), q.Limit-len(found))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed for its age
		}
		if err != nil {
			return nil, fmt.Errorf("audit: segment %d: %w", number, err)
		}
		if found = append(found, part...); len(found) == q.Limit || !older {
			break
		}
	}
	return found, nil
}

// matcher tries a line cheaply before it parses it.
type matcher struct {
	Query
	needles [][]byte // members as they are written: a line without one of them does not match
	text    []byte   // lower case, as it is written
	lower   []byte
}

func (q Query) matcher() *matcher {
	m := &matcher{Query: q}
	for _, f := range []struct {
		name, value string
		max         int
	}{
		{`"issuer":`, q.Issuer, maxWord}, {`"client":`, q.Client, maxID}, {`"cred":`, q.Cred, maxID},
		{`"endpoint":`, q.Endpoint, maxWord}, {`"outcome":`, q.Outcome, maxWord}, {`"code":`, q.Code, maxWord},
		{`"request_id":`, q.RequestID, maxWord},
	} {
		if f.value != "" {
			m.needles = append(m.needles, appendMember(nil, f.name, f.value, f.max))
		}
	}
	if q.Text != "" {
		text := appendString(nil, q.Text, maxLine)
		m.text = appendLower(nil, text[1:len(text)-1])
	}
	return m
}

// segment returns the newest matches in a segment, newest first. older is false
// when no older segment can have more.
func (m *matcher) segment(ctx context.Context, path string, limit int) (found []*Record, older bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	l := lines{f: f}
	if line, err := l.next(); err == nil {
		if h, err := parseHeader(line); err == nil {
			began, _ := time.Parse(time.RFC3339, h.Time)
			older = began.After(m.Since.Add(-clockSlack))
			if m.Before > 0 && h.First >= m.Before || !m.Until.IsZero() && began.Add(-clockSlack).After(m.Until) {
				return nil, true, nil
			}
		} else {
			older = true
		}
	}
	for ctx.Err() == nil {
		line, err := l.next()
		switch {
		case err == nil:
			if r := m.match(line); r != nil {
				if len(found) == limit {
					copy(found, found[1:])
					found = found[:limit-1]
				}
				found = append(found, r)
			}
		case isEOF(err) || errors.Is(err, errPartial):
			if err := l.skip(); err == nil {
				continue
			} else if !isEOF(err) {
				return nil, false, err
			}
			slices.Reverse(found)
			return found, older, nil
		default:
			return nil, false, err
		}
	}
	return nil, false, ctx.Err()
}

func (m *matcher) match(line []byte) *Record {
	for _, needle := range m.needles {
		if !bytes.Contains(line, needle) {
			return nil
		}
	}
	if m.text != nil {
		m.lower = appendLower(m.lower[:0], line)
		if !bytes.Contains(m.lower, m.text) {
			return nil
		}
	}
	r, err := parseRecord(line)
	if err != nil || !m.selects(r) {
		return nil
	}
	return r
}

func appendLower(dst, s []byte) []byte {
	for _, c := range s {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// selects is what a line cannot tell without being parsed. The members of the
// needles need no second look: a quotation mark inside a value is escaped.
func (m *matcher) selects(r *Record) bool {
	return (m.Since.IsZero() || !r.Time.Before(m.Since)) && (m.Until.IsZero() || r.Time.Before(m.Until)) &&
		(m.Before == 0 || r.N < m.Before) && (m.Text == "" || m.hasText(r))
}

// hasText looks into the values only: a line also has the members' names in it.
func (m *matcher) hasText(r *Record) bool {
	text := strings.ToLower(m.Text)
	has := func(values ...string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return strings.Contains(strings.ToLower(v), text) })
	}
	if has(r.Outcome, r.Issuer, r.Client, r.Cred, r.Code, r.Reason, r.RequestID, r.Endpoint, r.Method, r.Scope, r.JTI, r.KID, r.Node, r.Peer.String()) || has(r.APIs...) {
		return true
	}
	for _, c := range r.Checks {
		if has(c.Name, c.Clause, c.Expected, c.Got, c.Fix) {
			return true
		}
	}
	return false
}
