package audit

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/store"
	"pgregory.net/rapid"
)

// anchorsOf is what the store would know of a spool that is flushed to its end.
func anchorsOf(t testing.TB, dir string) Anchors {
	t.Helper()
	var a Anchors
	w := walkFrom(dir, Position{})
	defer w.close()
	last := Position{}
	for {
		_, err := w.next()
		if w.pos.Segment != last.Segment && last.Segment != 0 {
			g, err := readSegment(dir, last)
			if err != nil {
				t.Fatal(err)
			}
			a.Segments = append(a.Segments, *g)
		}
		if isEOF(err) {
			a.Flushed = store.SpoolPosition{Segment: last.Segment, Offset: last.Offset, Hash: last.Hash}
			return a
		}
		if err != nil {
			t.Fatal(err)
		}
		last = w.pos
	}
}

// spoolText is a spool as the lines of its segments.
type spoolText struct {
	tb       testing.TB
	dir      string
	numbers  []int64
	segments [][][]byte
}

func readText(t testing.TB, dir string) *spoolText {
	all, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &spoolText{tb: t, dir: dir, numbers: all}
	for _, n := range all {
		lines := bytes.SplitAfter(content(t, segmentPath(dir, n)), []byte("\n"))
		s.segments = append(s.segments, lines[:len(lines)-1])
	}
	return s
}

func (s *spoolText) write(t testing.TB) {
	for i, n := range s.numbers {
		rewrite(t, segmentPath(s.dir, n), bytes.Join(s.segments[i], nil))
	}
}

// tamper changes one thing, and returns what: the place (segment and line) before
// which nothing was changed.
func (s *spoolText) tamper(t *rapid.T) (what string, segment, line int) {
	g := rapid.IntRange(0, len(s.segments)-1).Draw(t, "segment")
	lines := s.segments[g]
	last := len(lines) - 1
	i := rapid.IntRange(0, last).Draw(t, "line")
	at := func(what string) (string, int, int) { return what, g, i }
	switch kind := rapid.IntRange(0, 8).Draw(t, "kind"); kind {
	case 0:
		b := bytes.Clone(lines[i])
		p := rapid.IntRange(0, len(b)-1).Draw(t, "octet")
		b[p] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		lines[i] = b
		return at("an octet was changed")
	case 1:
		s.segments[g] = slices.Delete(lines, i, i+1)
		return at("a line was deleted")
	case 2:
		s.segments[g] = slices.Insert(lines, i, lines[rapid.IntRange(0, last).Draw(t, "from")])
		return at("a line was doubled")
	case 3:
		j := rapid.IntRange(0, last).Draw(t, "with")
		if i == j {
			j = (i + 1) % len(lines)
		}
		lines[i], lines[j] = lines[j], lines[i]
		i = min(i, j)
		return at("two lines were exchanged")
	case 4:
		s.segments[g] = lines[:i]
		return at("the end of a segment was cut")
	case 5:
		s.segments = s.segments[:g]
		for _, n := range s.numbers[g:] {
			os.Remove(segmentPath(s.dir, n))
		}
		s.numbers = s.numbers[:g]
		i = 0
		return at("the last segments were deleted")
	case 6:
		os.Remove(segmentPath(s.dir, s.numbers[g]))
		s.segments = slices.Delete(s.segments, g, g+1)
		s.numbers = slices.Delete(s.numbers, g, g+1)
		i = 0
		return at("a segment was deleted")
	case 7:
		// With a hash of its own that fits: the next line, the segment's anchor, or
		// the store's hash of the last line shows it.
		lines[i] = forge(s.tb, s.before(g, i), lines[i])
		return at("a line was forged with its hash")
	default:
		s.segments[g] = slices.Insert(lines, i, []byte(rapid.SampledFrom([]string{"\n", "{}\n", "hello\n", `{"time":"2026-03-01T12:00:00.000000Z","outcome":"issued","n":1}` + "\n"}).Draw(t, "text")))
		return at("text was inserted")
	}
}

// before is the hash of the line before another.
func (s *spoolText) before(g, i int) digest {
	for i == 0 {
		if g--; g < 0 {
			return digest{}
		}
		i = len(s.segments[g])
	}
	_, d, _ := claimed(bytes.TrimSuffix(s.segments[g][i-1], []byte("\n")))
	return d
}

func forge(t testing.TB, prev digest, line []byte) []byte {
	body, _, ok := claimed(bytes.TrimSuffix(line, []byte("\n")))
	if !ok {
		t.Fatal("no hash")
	}
	out := make([]byte, len(digest{}), 2000)
	for _, r := range [][2]string{{"billing", "payroll"}, {`"node":"n1"`, `"node":"n2"`}} {
		if forged := bytes.Replace(body, []byte(r[0]), []byte(r[1]), 1); !bytes.Equal(forged, body) {
			out = append(out, forged...)
			break
		}
	}
	out, _ = appendHash(out, len(digest{}), prev)
	return out[len(digest{}):]
}

// Whoever can write the spool's files cannot hide what they did there: whatever is
// altered, deleted, inserted, moved or cut off is found, and its place is named.
// Nothing is found in a spool that nobody touched.
func TestVerifyFindsAnyTampering(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 180)
	closeSpool(t, s)
	anchors := anchorsOf(t, dir)
	if r := verify(t, dir, anchors); !r.OK() || r.Records != 180 || len(anchors.Segments) != 3 {
		t.Fatalf("%+v, %+v", r, anchors)
	}
	rapid.Check(t, func(rt *rapid.T) {
		copied := copyDir(t, dir)
		defer os.RemoveAll(copied)
		text := readText(t, copied)
		original := readText(t, dir)
		what, g, i := text.tamper(rt)
		text.write(t)
		r, err := Verify(t.Context(), copied, anchors)
		if err != nil {
			rt.Fatal(err)
		}
		if slices.EqualFunc(text.segments, original.segments, func(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }) && slices.Equal(text.numbers, original.numbers) {
			return // one line exchanged with its like
		}
		if r.OK() {
			rt.Fatalf("%s in segment %d, line %d: nothing was found: %+v", what, g+1, i+1, r)
		}
		// The first that it names is the place, or what comes right behind it.
		d := slices.MinFunc(r.Damages, func(a, b Damage) int {
			return int((a.Segment-b.Segment)*1000 + max(a.Line, 1) - max(b.Line, 1))
		})
		place, got := g*1000+i+1, int(d.Segment-1)*1000+int(max(d.Line, 1))
		behind := place + 1
		if i >= len(original.segments[g])-1 || g >= len(text.segments) || i >= len(text.segments[g]) {
			behind = (g+1)*1000 + 2
		}
		if got < place || got > behind {
			rt.Fatalf("%s in segment %d, line %d: found at segment %d, line %d: %s", what, g+1, i+1, d.Segment, d.Line, d.What)
		}
	})
}

// Without anchors a tail that was cut off looks like a spool that ends there.
func TestVerifyNeedsAnchorsForACutTail(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 5)
	closeSpool(t, s)
	anchors := anchorsOf(t, dir)
	text := readText(t, dir)
	text.segments[0] = text.segments[0][:4]
	text.write(t)
	if r := verify(t, dir, Anchors{}); !r.OK() {
		t.Errorf("%+v", r)
	}
	r := verify(t, dir, anchors)
	if r.OK() || r.Damages[0].Segment != 1 || r.Damages[0].Line != 5 || r.Damages[0].Record != 4 {
		t.Errorf("%+v", r)
	}
}

// The end of a closed segment is missed even without anchors: by the next one.
func TestVerifyNamesWhatIsMissingAtTheEndOfASegment(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 100)
	closeSpool(t, s)
	text := readText(t, dir)
	last := len(text.segments[0]) - 1 // records in it
	text.segments[0] = text.segments[0][:last-1]
	text.write(t)
	r := verify(t, dir, Anchors{})
	if r.OK() || r.Damages[0].Record != int64(last-1) || !strings.Contains(r.Damages[0].What, fmt.Sprintf("records %d to %d", last-1, last)) {
		t.Errorf("%+v", r.Damages)
	}
}

// The last line of a segment, forged with a hash that fits: the header of the next
// segment knows the true one, and so does the segment's anchor.
func TestVerifyFindsAForgedLastLine(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 100)
	closeSpool(t, s)
	anchors := anchorsOf(t, dir)
	text := readText(t, dir)
	last := len(text.segments[0]) - 1
	text.segments[0][last] = forge(t, text.before(0, last), text.segments[0][last])
	text.write(t)
	r := verify(t, dir, Anchors{})
	if r.OK() || r.Damages[0].Segment != 2 || r.Damages[0].Record != int64(last) || r.Damages[0].Line != 1 {
		t.Errorf("%+v", r.Damages)
	}
	for _, n := range text.numbers[1:] {
		if err := os.Remove(segmentPath(dir, n)); err != nil {
			t.Fatal(err)
		}
	}
	if r := verify(t, dir, Anchors{Segments: anchors.Segments[:1]}); r.OK() || r.Damages[0].Line != int64(last+1) || r.Damages[0].Record != int64(last) {
		t.Errorf("%+v", r.Damages)
	}
}

// A hash has one spelling: base64 would read others too.
func TestVerifyFindsAnotherSpellingOfAHash(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 5)
	closeSpool(t, s)
	text := readText(t, dir)
	line := text.segments[0][2]
	c := &line[len(line)-4] // of the last six bits two are loose
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	*c = alphabet[strings.IndexByte(alphabet, *c)^1]
	text.write(t)
	if r := verify(t, dir, Anchors{}); r.OK() || r.Damages[0].Line != 3 {
		t.Errorf("%+v", r)
	}
}

// A spool that was written anew as a whole, with good hashes, is not the one that
// the store knows.
func TestVerifyFindsAnotherSpool(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir, other} {
		s := spoolIn(t, d)
		fill(t, s, 0, 180)
		closeSpool(t, s)
	}
	if r := verify(t, other, anchorsOf(t, dir)); r.OK() {
		t.Error("nothing was found")
	}
}

func TestVerifyWhileAppending(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	done := make(chan struct{})
	go func() {
		defer close(done)
		fill(t, s, 0, 1500)
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if r := verify(t, dir, Anchors{}); !r.OK() {
			t.Fatalf("%+v", r)
		}
	}
}

func TestVerifyStopsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	fill(t, spoolIn(t, dir), 0, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Verify(ctx, dir, Anchors{})
	is(t, err, context.Canceled)
}

func TestVerifyNamesABoundedNumber(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 400)
	closeSpool(t, s)
	text := readText(t, dir)
	for _, lines := range text.segments {
		for i := range lines {
			lines[i] = bytes.ToUpper(lines[i])
		}
	}
	text.write(t)
	if r := verify(t, dir, Anchors{}); len(r.Damages) != maxDamages || r.More == 0 {
		t.Errorf("%d named, %d more", len(r.Damages), r.More)
	}
}

func TestDamageTellsItsPlace(t *testing.T) {
	d := &Damage{Segment: 5, Line: 17, Record: 123, What: "the record was altered"}
	if got := fmt.Sprint(d); !strings.Contains(got, "segment 5, line 17, record 123: the record was altered") {
		t.Error(got)
	}
}
