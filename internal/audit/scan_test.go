package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestScanFromAnyPosition(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 150)
	var at []Position
	if err := Scan(dir, Position{}, func(_ *Record, p Position) error { at = append(at, p); return nil }); err != nil {
		t.Fatal(err)
	}
	if at[len(at)-1] != s.Position() {
		t.Errorf("the last is %+v, the spool's position %+v", at[len(at)-1], s.Position())
	}
	for i := 0; i < len(at); i += 17 {
		for _, from := range []Position{at[i], {Segment: at[i].Segment, Offset: at[i].Offset}} { // as the store keeps it
			var got []Position
			if err := Scan(dir, from, func(_ *Record, p Position) error { got = append(got, p); return nil }); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, at[i+1:]) {
				t.Fatalf("from %+v: %d positions, want %d", from, len(got), len(at)-i-1)
			}
		}
	}
}

func TestScanFromAPositionThatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 5)
	at := s.Position()
	wrong := at
	wrong.Hash[0] ^= 1
	for _, from := range []Position{{Segment: 1, Offset: at.Offset - 1}, {Segment: 1, Offset: at.Offset + 1}, {Segment: 9, Offset: 7}, {Segment: 1, Offset: 1 << 40}, wrong} {
		is(t, Scan(dir, from, func(*Record, Position) error { return errors.New("called") }), ErrPosition)
	}
}

func TestScanEndsWithTheErrorOfItsFunction(t *testing.T) {
	dir := t.TempDir()
	fill(t, spoolIn(t, dir), 0, 5)
	enough, n := errors.New("enough"), 0
	is(t, Scan(dir, Position{}, func(*Record, Position) error {
		if n++; n == 3 {
			return enough
		}
		return nil
	}), enough)
	if n != 3 {
		t.Errorf("called %d times", n)
	}
}

func TestScanGoesOnBehindDamage(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 100)
	closeSpool(t, s)
	text := readText(t, dir)
	text.segments[0][7] = []byte(strings.Replace(string(text.segments[0][7]), "billing", "payroll", 1))
	text.segments[1][2] = []byte("nonsense\n")
	text.write(t)
	var ids []string
	var damages []string
	from := Position{}
	for {
		err := Scan(dir, from, func(r *Record, _ Position) error { ids = append(ids, r.RequestID); return nil })
		var damage *Damage
		if !errors.As(err, &damage) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		damages = append(damages, fmt.Sprint(damage.Segment, damage.Line))
		from = damage.Next()
	}
	if want := []string{"1 8", "2 3"}; !slices.Equal(damages, want) {
		t.Errorf("damages at %q, want %q", damages, want)
	}
	if len(ids) != 98 || slices.Contains(ids, "r6") {
		t.Errorf("%d records", len(ids))
	}
}

func TestScanOfNothing(t *testing.T) {
	if err := Scan(t.TempDir(), Position{}, nil); err != nil {
		t.Error(err)
	}
	if err := Scan(filepath.Join(t.TempDir(), "missing"), Position{}, nil); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// Following is woken by appends of the same process, over the end of segments.
func TestFollowOwnSpool(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 3)
	got := followInto(t, func(ctx context.Context, fn func(*Record, Position, *Damage) error) error {
		return s.Follow(ctx, Position{}, fn)
	})
	for i := range 200 {
		if i >= 3 {
			fill(t, s, i, i+1)
		}
		if id := <-got; id != fmt.Sprint("r", i) {
			t.Fatalf("%s, want r%d", id, i)
		}
	}
}

// Another process polls the files.
func TestFollowAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 3)
	from, err := End(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := followInto(t, func(ctx context.Context, fn func(*Record, Position, *Damage) error) error {
		return Follow(ctx, dir, from, fn)
	})
	for i := 3; i < 150; i += 49 {
		fill(t, s, i, i+49)
		for j := range 49 {
			if id := <-got; id != fmt.Sprint("r", i+j) {
				t.Fatalf("%s, want r%d", id, i+j)
			}
		}
	}
}

// followInto follows until the test ends.
func followInto(t *testing.T, follow func(context.Context, func(*Record, Position, *Damage) error) error) <-chan string {
	got, done := make(chan string), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		done <- follow(ctx, func(r *Record, _ Position, d *Damage) error {
			if d != nil {
				return d
			}
			select {
			case got <- r.RequestID:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("following ended with %v", err)
		}
	})
	return got
}

func TestFollowTellsDamageAndGoesOn(t *testing.T) {
	dir := t.TempDir()
	s := spoolIn(t, dir)
	fill(t, s, 0, 100)
	closeSpool(t, s)
	text := readText(t, dir)
	text.segments[0][3] = []byte("nonsense\n")
	text.write(t)
	records, damages := 0, 0
	stop := errors.New("stop")
	err := Follow(t.Context(), dir, Position{}, func(r *Record, _ Position, d *Damage) error {
		if d != nil {
			damages++
		} else if records++; r.RequestID == "r99" {
			return stop
		}
		return nil
	})
	is(t, err, stop)
	if records != 99 || damages != 1 {
		t.Errorf("%d records, %d damages", records, damages)
	}
}

func TestFollowEndsWhenTheSpoolIsClosed(t *testing.T) {
	s := spoolIn(t, t.TempDir())
	done := make(chan error, 1)
	go func() {
		done <- s.Follow(context.Background(), Position{}, func(*Record, Position, *Damage) error { return nil })
	}()
	for s.waiting.Load() == 0 {
		time.Sleep(0)
	}
	closeSpool(t, s)
	is(t, <-done, ErrClosed)
}

// A reader never sees a part of a line as damage, however the file grows.
func TestLinesGrow(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 20); err != nil {
		t.Fatal(err)
	}
	l := lines{f: f}
	for i := range 300 {
		text := strings.Repeat(fmt.Sprint(i, " "), 900+i)
		half := len(text) / 2
		off := l.off
		if _, err := f.WriteAt([]byte(text[:half]), off); err != nil {
			t.Fatal(err)
		}
		if _, err := l.next(); !errors.Is(err, errPartial) {
			t.Fatalf("half a line: %v", err)
		}
		if _, err := f.WriteAt([]byte(text[half:]+"\n"), off+int64(half)); err != nil {
			t.Fatal(err)
		}
		line, err := l.next()
		if err != nil || string(line) != text {
			t.Fatalf("line %d: %d octets, %v", i, len(line), err)
		}
		if _, err := l.next(); !isEOF(err) {
			t.Fatalf("behind it: %v", err)
		}
	}
}

// What has no line breaks is not read into memory as a whole.
func TestLinesAreBounded(t *testing.T) {
	l := lines{f: strings.NewReader(strings.Repeat("x", 10*maxLine) + "\nnext\n")}
	if _, err := l.next(); !errors.Is(err, errPartial) {
		t.Fatalf("a line of %d octets: %v", 10*maxLine, err)
	}
	if err := l.skip(); err != nil {
		t.Fatal(err)
	}
	if line, err := l.next(); err != nil || string(line) != "next" {
		t.Errorf("%q, %v", line, err)
	}
	if cap(l.buf) > maxLine+readChunk {
		t.Errorf("%d octets of memory", cap(l.buf))
	}
}
