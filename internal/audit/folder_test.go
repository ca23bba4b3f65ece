package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/symbolon/symbolon/internal/logtest"
	"github.com/symbolon/symbolon/internal/store"
)

func flush(t testing.TB, f *Folder) {
	t.Helper()
	if err := f.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func usageOf(t testing.TB, db *store.Store) []store.UsageRow {
	t.Helper()
	rows, err := db.Usage(t.Context(), store.UsageQuery{})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func storeRecords(t testing.TB, db *store.Store, q store.RecordQuery) []store.Record {
	t.Helper()
	list, err := db.Records(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestUsageAndLastUsed(t *testing.T) {
	c := newClock()
	db, s, f := openAll(t, t.TempDir(), func(cfg *SpoolConfig) { cfg.Now = c.now })
	hour := c.now().Unix() / 3600
	add := func(n int, change func(*Record)) {
		for range n {
			r := typical()
			r.Time, r.RequestID = c.now(), fmt.Sprint("q", s.Position().N+1)
			change(r)
			if err := s.Append(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(3, func(*Record) {})
	add(2, func(r *Record) { r.APIs = []string{"orders", "invoices"} })
	add(1, func(r *Record) { r.Outcome, r.Code, r.APIs = Refused, "invalid_target", nil })
	add(1, func(r *Record) { r.Cred = "s2" })
	add(1, func(r *Record) { r.Client = "bil\"ling\u2028" })
	add(4, func(r *Record) { // anybody's words
		r.Outcome, r.Code, r.Verified, r.Client, r.Cred, r.APIs = Refused, "invalid_client", false, fmt.Sprint("x", s.Position().N), "", []string{"orders"}
	})
	add(1, func(r *Record) {
		*r = Record{Time: r.Time, Outcome: Refused, Issuer: "default", Count: 1000, Code: "invalid_client", Endpoint: "token"}
	})
	add(1, func(r *Record) {
		*r = Record{Time: r.Time, Outcome: Notice, Endpoint: "spool", Code: "evidence_lost", Count: 5}
	})
	flush(t, f)
	c.advance(time.Hour)
	add(2, func(*Record) {})
	flush(t, f)
	flush(t, f) // there is nothing more

	row := func(hours int64, client, cred, api, outcome string, n int64) store.UsageRow {
		return store.UsageRow{Hour: hour + hours, Issuer: "default", Client: client, Credential: cred, API: api, Outcome: outcome, Count: n}
	}
	want := []store.UsageRow{
		row(0, "", "", "", Refused, 1004),
		row(0, "bil\"ling\u2028", "s1", "orders", Issued, 1),
		row(0, "billing", "s1", "", Refused, 1),
		row(0, "billing", "s1", "invoices", Issued, 2),
		row(0, "billing", "s1", "orders", Issued, 5),
		row(0, "billing", "s2", "orders", Issued, 1),
		row(1, "billing", "s1", "orders", Issued, 2),
	}
	if diff := cmp.Diff(want, usageOf(t, db)); diff != "" {
		t.Error(diff)
	}
	used, err := db.LastUsedOf(t.Context(), "billing")
	wantUsed := []store.LastUsed{
		{Client: "billing", Credential: "s1", At: c.now().UnixMicro(), RequestID: "q16"},
		{Client: "billing", Credential: "s2", At: c.now().Add(-time.Hour).UnixMicro(), RequestID: "q7"},
	}
	if diff := cmp.Diff(wantUsed, used); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// Names that anybody made up take no memory either.
func TestMadeUpNamesAddUpToOne(t *testing.T) {
	f := newFold("n1")
	for i := range 100 {
		r := refusal("192.0.2.1")
		r.Client, r.Hash = fmt.Sprint("x", i), "0123456789abcdef"
		if !f.add(r.AppendJSON(nil)) {
			t.Fatal("not a record")
		}
	}
	if len(f.usage) != 1 || len(f.used) != 0 {
		t.Errorf("%d sums, %d uses", len(f.usage), len(f.used))
	}
}

func TestRefusalsAreShipped(t *testing.T) {
	db, s, f := openAll(t, t.TempDir())
	fill(t, s, 0, 3)
	bad := typical()
	bad.Outcome, bad.Code, bad.RequestID = Refused, "invalid_scope", "known"
	if err := s.Append(bad); err != nil {
		t.Fatal(err)
	}
	refuse(t, s, 1, "192.0.2.1", func(r *Record) { r.RequestID = "unknown" })
	flush(t, f)
	got := storeRecords(t, db, store.RecordQuery{Class: store.ClassRefusal})
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	for _, r := range got {
		line, err := Find(t.Context(), s.Dir(), r.RequestID)
		if err != nil {
			t.Fatal(err)
		}
		if string(r.Doc) != string(line.AppendJSON(nil)) || r.Time != line.Time.UnixMicro() || r.Node != "n1" || r.Action != "token.refused" || r.ObjectKind != "client" || r.ObjectID != line.Client {
			t.Errorf("%+v", r)
		}
		if actor := map[string]string{"known": "billing", "unknown": ""}[r.RequestID]; r.Actor != actor {
			t.Errorf("actor %q of %s", r.Actor, r.RequestID)
		}
	}
}

// A client in a loop does not fill the store: what it does is counted.
func TestShippingIsCapped(t *testing.T) {
	c := newClock()
	db, s, f := openAll(t, t.TempDir(), func(cfg *SpoolConfig) { cfg.Now = c.now })
	for _, client := range []string{"a", "b"} {
		for range shipClient + 20 {
			r := typical()
			r.Time, r.Client, r.Outcome, r.Code = c.now(), client, Refused, "invalid_scope"
			if err := s.Append(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	flush(t, f)
	if n := len(storeRecords(t, db, store.RecordQuery{Limit: 1000})); n != 2*shipClient {
		t.Errorf("%d shipped", n)
	}
	if rows := usageOf(t, db); len(rows) != 2 || rows[0].Count != shipClient+20 {
		t.Errorf("%+v", rows)
	}
	c.advance(time.Minute)
	r := typical()
	r.Time, r.Client, r.Outcome, r.Code = c.now(), "a", Refused, "invalid_scope"
	if err := s.Append(r); err != nil {
		t.Fatal(err)
	}
	flush(t, f)
	if n := len(storeRecords(t, db, store.RecordQuery{Limit: 1000})); n != 2*shipClient+1 {
		t.Errorf("%d shipped in the next minute", n)
	}
}

// Nobody fills the store by being refused: five of a network and thirty in all go
// there in a minute, and what tells of the others does always.
func TestShippingOfUnverifiedRefusalsIsCapped(t *testing.T) {
	c := newClock()
	db, s, f := openAll(t, t.TempDir(), func(cfg *SpoolConfig) { cfg.Now = c.now })
	shipped := func() (n, summaries, notices int) {
		flush(t, f)
		for _, r := range storeRecords(t, db, store.RecordQuery{Limit: 1000}) {
			switch {
			case r.Class == store.ClassSystem:
				notices++
			case strings.Contains(string(r.Doc), `"count":`):
				summaries++
			default:
				n++
			}
		}
		return n, summaries, notices
	}
	refuse(t, s, 3, "2001:db8::1")
	refuse(t, s, 9, "2001:db8::2")
	if n, _, _ := shipped(); n != shipNetwork {
		t.Errorf("%d of one network", n)
	}
	f.restart() // it forgets, and what went is not sent again
	for i := range 40 {
		refuse(t, s, 1, fmt.Sprint("192.0.2.", i))
	}
	known := typical()
	known.Time, known.Outcome, known.Code = c.now(), Refused, "invalid_scope"
	if err := s.Append(known); err != nil {
		t.Fatal(err)
	}
	f.notice("spool_damaged", "a test")
	if n, _, notices := shipped(); n != shipNetwork+shipNode+1 || notices != 1 {
		t.Errorf("%d of all networks, %d notices", n, notices)
	}
	refuse(t, s, 200, "203.0.113.1")
	c.advance(time.Minute)
	s.tell(c.now(), false)
	refuse(t, s, 1, "203.0.113.1", func(r *Record) { r.Time = c.now().Add(-time.Second) }) // it began in the minute before
	refuse(t, s, 7, "203.0.113.1")
	if n, summaries, _ := shipped(); n != shipNetwork+shipNode+1+shipNetwork || summaries != 1 {
		t.Errorf("%d in the next minute, %d summaries", n, summaries)
	}
}

// Up to when requests are counted moves on while there is nothing to count, and
// not while some of them wait.
func TestFlushTellsUpToWhenItCounted(t *testing.T) {
	c := newClock()
	db, s, f := openAll(t, t.TempDir(), func(cfg *SpoolConfig) { cfg.Now = c.now })
	counted := func() time.Time {
		nodes, err := db.Nodes(t.Context())
		if err != nil || len(nodes) != 1 {
			t.Fatal(nodes, err)
		}
		return time.UnixMicro(nodes[0].Counted).UTC()
	}
	flush(t, f)
	first := c.now()
	c.advance(30 * time.Second)
	flush(t, f)
	if got := counted(); got != first {
		t.Errorf("idle, counted up to %s, want %s", got, first)
	}
	c.advance(30 * time.Second)
	flush(t, f)
	if got := counted(); got != c.now() {
		t.Errorf("idle for a minute, counted up to %s, want %s", got, c.now())
	}
	second := c.now()
	fill(t, s, 0, 50)
	c.advance(time.Second)
	f.batch.octets = 1
	now, end := c.now(), s.Position()
	if err := f.flushBatch(t.Context(), now, end); err != nil {
		t.Fatal(err)
	}
	if got := counted(); got != second {
		t.Errorf("while some wait, counted up to %s, want %s", got, second)
	}
	flush(t, f)
	if got := counted(); got != now {
		t.Errorf("counted up to %s, want %s", got, now)
	}
}

// The last line that was flushed, written anew with a hash that fits while the
// server was down: others are about to follow it, so it is told for good.
func TestTheLastFlushedLineIsCompared(t *testing.T) {
	dir := t.TempDir()
	db, s, f := openAll(t, dir)
	fill(t, s, 0, 20)
	flush(t, f)
	f.stop()
	closeSpool(t, s)
	text := readText(t, s.Dir())
	last := len(text.segments[0]) - 1
	text.segments[0][last] = forge(t, text.before(0, last), text.segments[0][last])
	text.write(t)
	if r := verify(t, s.Dir(), Anchors{}); !r.OK() {
		t.Fatalf("the forgery does not fit: %+v", r)
	}
	if r := verify(t, s.Dir(), storeAnchors(t, db)); r.OK() || r.Damages[0].Segment != 1 || r.Damages[0].Line != int64(last+1) || r.Damages[0].Record != int64(last) {
		t.Errorf("found %+v", r.Damages)
	}

	var log logtest.Buffer
	s = spoolIn(t, s.Dir(), func(c *SpoolConfig) { c.Now = time.Now })
	f = NewFolder(FolderConfig{Store: db, Spool: s, Logger: log.Logger()})
	t.Cleanup(f.stop)
	fill(t, s, 20, 30)
	flush(t, f)
	f.restart()
	fill(t, s, 30, 40)
	flush(t, f)
	if n := usageOf(t, db)[0].Count; n != 40 {
		t.Errorf("%d counted, want 40", n)
	}
	r := verify(t, s.Dir(), storeAnchors(t, db))
	if r.OK() || r.Damages[0].Record != int64(last) || !strings.Contains(r.Damages[0].What, "written anew") {
		t.Errorf("found later: %+v", r.Damages)
	}
	if n := strings.Count(log.String(), "is damaged"); n != 1 {
		t.Errorf("told %d times: %s", n, &log)
	}
	if got := storeRecords(t, db, store.RecordQuery{Class: store.ClassSystem, Action: "spool.spool_damaged"}); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestClosedSegmentsAreAnchored(t *testing.T) {
	db, s, f := openAll(t, t.TempDir())
	for i := range 8 {
		fill(t, s, i*50, i*50+50)
		if i%3 == 1 {
			flush(t, f)
		}
	}
	flush(t, f)
	got := storeAnchors(t, db)
	want := anchorsOf(t, s.Dir())
	for i := range want.Segments {
		want.Segments[i].Node = "n1"
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got.Segments) < 5 {
		t.Errorf("%d anchors: %s", len(got.Segments), diff)
	}
	if r := verify(t, s.Dir(), got); !r.OK() {
		t.Errorf("%+v", r)
	}
}

// A crash between any two steps of a flush: what was shipped and anchored before is
// not there twice when the same part is flushed again.
func TestFlushIsRepeatable(t *testing.T) {
	dir := t.TempDir()
	db, s, f := openAll(t, dir)
	fill(t, s, 0, 120)
	for i := range 10 {
		refuse(t, s, 1, fmt.Sprint("192.0.2.", i))
	}
	if err := f.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed, err := f.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.CopyRecords(t.Context(), f.fold.records[:5]); err != nil { // and killed
		t.Fatal(err)
	}
	if err := f.anchor(t.Context(), closed[0]); err != nil {
		t.Fatal(err)
	}
	f.restart()
	flush(t, f)
	checkStore(t, db, s, nil)
	if n := len(storeRecords(t, db, store.RecordQuery{})); n != 10 {
		t.Errorf("%d records", n)
	}
}

// Two folders of one spool (the old process has not ended yet): the second finds
// that the part is flushed, and goes on behind it.
func TestTwoFoldersCountOnce(t *testing.T) {
	db, s, f := openAll(t, t.TempDir())
	other := NewFolder(f.cfg)
	t.Cleanup(other.stop)
	fill(t, s, 0, 10)
	flush(t, f)
	flush(t, other)
	fill(t, s, 10, 20)
	flush(t, other)
	fill(t, s, 20, 30)
	if err := f.Flush(t.Context()); err == nil {
		t.Error("no conflict was seen")
	}
	flush(t, f)
	checkStore(t, db, s, nil)
}

// While the store is away, appending goes on, and later nothing is missing.
func TestStoreAway(t *testing.T) {
	dir := t.TempDir()
	db, s, f := openAll(t, dir)
	var log logtest.Buffer
	f.cfg.Logger = log.Logger()
	fill(t, s, 0, 10)
	canceled, cancel := context.WithCancel(t.Context())
	flush(t, f)
	cancel()
	fill(t, s, 10, 200)
	if err := f.Flush(canceled); err == nil {
		t.Fatal("flushed without a store")
	}
	f.report(store.ErrUnavailable)
	f.report(store.ErrUnavailable)
	f.report(nil)
	if got := log.String(); strings.Count(got, "evidence waits") != 1 || strings.Count(got, "flushed again") != 1 {
		t.Errorf("log: %s", got)
	}
	fill(t, s, 200, 210)
	flush(t, f)
	checkStore(t, db, s, nil)
}

// More than one batch, over many segments.
func TestFlushInBatches(t *testing.T) {
	db, s, f := openAll(t, t.TempDir())
	f.batch = batch{octets: 30_000, shipped: 25}
	for i := range 130 {
		fill(t, s, 1000+i, 1001+i)
		r := typical()
		r.Time, r.Outcome, r.Client, r.Code, r.RequestID = s.cfg.Now(), Refused, fmt.Sprint("c", i/10), "invalid_scope", fmt.Sprint("r", i)
		if err := s.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, f)
	checkStore(t, db, s, nil)
	if n := len(storeRecords(t, db, store.RecordQuery{Limit: 1000})); n != 130 {
		t.Errorf("%d shipped", n)
	}
}

func TestRunFlushesAtItsEnd(t *testing.T) {
	db, s, f := openAll(t, t.TempDir())
	f.cfg.Every = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	fill(t, s, 0, 10)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	checkStore(t, db, s, nil)
}

func TestPruneRemovesOldFlushedSegments(t *testing.T) {
	c := newClock()
	dir := t.TempDir()
	with := func(cfg *SpoolConfig) { cfg.Now = c.now }
	db, s, f := openAll(t, dir, with)
	f.cfg.Keep = 48 * time.Hour
	for day := range 6 {
		fill(t, s, day*100, day*100+100)
		c.advance(24 * time.Hour)
	}
	all, _ := segments(s.Dir())
	if err := f.Prune(t.Context()); err != nil { // flushes first
		t.Fatal(err)
	}
	left, _ := segments(s.Dir())
	if len(left) >= len(all) || left[0] == 1 {
		t.Errorf("segments %v of %v are left", left, all)
	}
	for _, r := range records(t, s.Dir()) {
		if r.Time.Before(c.now().Add(-72 * time.Hour)) {
			t.Fatalf("%s of %s is left", r.RequestID, r.Time)
		}
	}
	if _, err := Find(t.Context(), s.Dir(), "r400"); err != nil {
		t.Errorf("a record of yesterday: %v", err)
	}
	if r := verify(t, s.Dir(), storeAnchors(t, db)); !r.OK() {
		t.Errorf("%+v", r)
	}
	// Somebody who removes more is found.
	copied := copyDir(t, s.Dir())
	if err := os.Remove(segmentPath(copied, left[0])); err != nil {
		t.Fatal(err)
	}
	for _, a := range []Anchors{{}, storeAnchors(t, db)} {
		if r := verify(t, copied, a); r.OK() || r.Damages[0].Segment != left[0] {
			t.Errorf("%+v", r)
		}
	}
	// It holds after a restart, and a spool that is idle gets empty too.
	fill(t, s, 600, 610)
	closeSpool(t, s)
	c.advance(100 * time.Hour)
	s = spoolIn(t, s.Dir(), with)
	f = NewFolder(FolderConfig{Store: db, Spool: s, Keep: 48 * time.Hour, Now: c.now, Logger: s.cfg.Logger})
	t.Cleanup(f.stop)
	for range 2 {
		if err := f.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := records(t, s.Dir()); len(got) != 0 {
		t.Errorf("%d records are left", len(got))
	}
	if r := verify(t, s.Dir(), storeAnchors(t, db)); !r.OK() {
		t.Errorf("%+v", r)
	}
	// A segment that nothing comes to is no exception, and the current one stays.
	fill(t, s, 610, 611)
	for range 3 {
		c.advance(100 * time.Hour)
		if err := f.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := records(t, s.Dir()); len(got) != 0 {
		t.Errorf("%d records are left", len(got))
	}
	fill(t, s, 611, 612)
	if r := verify(t, s.Dir(), storeAnchors(t, db)); !r.OK() || r.Records != 1 {
		t.Errorf("%+v", r)
	}
}

// What is old goes even when nothing comes that would close its segment.
func TestPruneOfAnIdleSpool(t *testing.T) {
	c := newClock()
	db, s, f := openAll(t, t.TempDir(), func(cfg *SpoolConfig) { cfg.Now = c.now })
	f.cfg.Keep = 48 * time.Hour
	fill(t, s, 0, 1)
	c.advance(48 * time.Hour)
	if err := f.Prune(t.Context()); err != nil || len(records(t, s.Dir())) != 1 {
		t.Fatalf("removed at the edge, or %v", err)
	}
	c.advance(time.Second)
	if err := f.Prune(t.Context()); err != nil || len(records(t, s.Dir())) != 0 {
		t.Fatalf("not removed, or %v", err)
	}
	if r := verify(t, s.Dir(), storeAnchors(t, db)); !r.OK() {
		t.Errorf("%+v", r)
	}
}

func TestPruneKeepsWhatIsNotFlushed(t *testing.T) {
	c := newClock()
	_, s, f := openAll(t, t.TempDir(), func(cfg *SpoolConfig) { cfg.Now = c.now })
	f.cfg.Keep = time.Hour
	fill(t, s, 0, 100)
	c.advance(24 * time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the store is away
	if err := f.Prune(ctx); err == nil {
		t.Error("no error")
	}
	checkIDs(t, s.Dir(), 100)
}

// The store has flushed more than there is: the folder was lost, or its end was cut
// off while the node was down. It is said, and what comes from now on is counted.
func TestEvidenceThatIsMissingIsTold(t *testing.T) {
	for name, lose := range map[string]func(dir string){
		"the folder": func(dir string) { os.RemoveAll(dir) },
		"the last segments": func(dir string) {
			all, _ := segments(dir)
			for _, n := range all[2:] {
				os.Remove(segmentPath(dir, n))
			}
		},
		"the end": func(dir string) {
			path := newest(t, dir)
			lines := bytes.SplitAfter(content(t, path), []byte("\n"))
			rewrite(t, path, bytes.Join(lines[:len(lines)-3], nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db, s, f := openAll(t, dir)
			fill(t, s, 0, 190)
			flush(t, f)
			before := usageOf(t, db)[0].Count
			closeSpool(t, s)
			lose(s.Dir())
			if r := verify(t, filepath.Dir(s.Dir()), storeAnchors(t, db)); r.OK() {
				t.Error("verify finds nothing")
			}

			var log logtest.Buffer
			s = spoolIn(t, s.Dir(), func(c *SpoolConfig) { c.Now, c.Logger = time.Now, log.Logger() })
			f = NewFolder(FolderConfig{Store: db, Spool: s, Logger: log.Logger()})
			t.Cleanup(f.stop)
			fill(t, s, 500, 507)
			flush(t, f)
			fill(t, s, 507, 510)
			flush(t, f)
			var after int64
			for _, row := range usageOf(t, db) {
				after += row.Count
			}
			if after != before+10 {
				t.Errorf("%d counted, want %d", after, before+10)
			}
			if !strings.Contains(log.String(), "missing in the spool") {
				t.Errorf("log: %s", &log)
			}
			if got := storeRecords(t, db, store.RecordQuery{Class: store.ClassSystem, Action: "spool.evidence_missing"}); len(got) != 1 {
				t.Errorf("%+v", got)
			}
			if r := verify(t, s.Dir(), Anchors{}); r.OK() {
				t.Error("verify finds nothing later")
			}
		})
	}
}

// Damage behind what was flushed is told once, and the rest is counted.
func TestFolderPassesDamage(t *testing.T) {
	dir := t.TempDir()
	db, s, _ := openAll(t, dir)
	fill(t, s, 0, 100)
	closeSpool(t, s)
	text := readText(t, s.Dir())
	text.segments[0][5] = bytes.Replace(text.segments[0][5], []byte("billing"), []byte("payroll"), 1)
	text.write(t)
	var log logtest.Buffer
	s = spoolIn(t, s.Dir(), func(c *SpoolConfig) { c.Now = time.Now })
	f := NewFolder(FolderConfig{Store: db, Spool: s, Logger: log.Logger()})
	t.Cleanup(f.stop)
	flush(t, f)
	if rows := usageOf(t, db); len(rows) != 1 || rows[0].Client != "billing" || rows[0].Count != 99 {
		t.Errorf("%+v", rows)
	}
	flush(t, f)
	if got := storeRecords(t, db, store.RecordQuery{Class: store.ClassSystem}); len(got) != 1 || got[0].Action != "spool.spool_damaged" || strings.Count(log.String(), "is damaged") != 1 {
		t.Errorf("%+v, log %s", got, &log)
	}
}

// TestAwaitHasItCounted: whoever asks gets what was appended before, while Run
// sleeps for an hour and where nothing runs; a caller does not wait longer than it
// may.
func TestAwaitHasItCounted(t *testing.T) {
	db, s, f := openAll(t, t.TempDir(), func(*SpoolConfig) {})
	f.cfg.Every = time.Hour
	use := func() {
		t.Helper()
		if err := s.Append(typical()); err != nil {
			t.Fatal(err)
		}
	}
	counted := func(want int64) {
		t.Helper()
		if err := f.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rows := usageOf(t, db); len(rows) != 1 || rows[0].Count != want {
			t.Errorf("counted %+v, want %d", rows, want)
		}
	}
	use()
	counted(1)

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	for !f.runs.Load() {
		runtime.Gosched()
	}
	for n := range int64(3) {
		use()
		counted(n + 2)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	f.runs.Store(true) // and hears nobody
	ctx, stop = context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if err := f.Await(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waited for who does not answer: %v", err)
	}
}

// TestAnswersFillNoStore: what was answered about tokens, and what was revoked, is
// counted for who asked, and uses its credential; no record of it is copied.
func TestAnswersFillNoStore(t *testing.T) {
	f := newFold("n1")
	for range 100 {
		r := typical()
		r.Outcome, r.Endpoint, r.Hash = Answered, "introspection", "0123456789abcdef"
		if !f.add(r.AppendJSON(nil)) {
			t.Fatal("not a record")
		}
	}
	usage, used := f.rows()
	if len(usage) != 1 || usage[0].Outcome != Answered || usage[0].Count != 100 || len(used) != 1 {
		t.Errorf("%+v, %+v", usage, used)
	}
	if len(f.records) != 0 {
		t.Errorf("%d records are copied to the store", len(f.records))
	}
}
