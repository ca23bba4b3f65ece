package audit

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/symbolon/symbolon/internal/store"
)

// appendUntilKilled is the child: it appends from four goroutines as fast as it
// can, prints a request id when its record is acknowledged, and flushes all the
// time into a store in the same folder.
func appendUntilKilled(dir string) {
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	db, err := store.Open(context.Background(), store.Config{DSN: "sqlite:" + filepath.Join(dir, "symbolon.db")})
	check(err)
	s, err := OpenSpool(SpoolConfig{Dir: filepath.Join(dir, "spool"), Node: "n1", SegmentBytes: minSegment, Reserve: 2, Logger: logger})
	check(err)
	f := NewFolder(FolderConfig{Store: db, Spool: s, Every: time.Millisecond, Logger: logger})
	go f.Run(context.Background())
	for g := range 4 {
		go func() {
			for {
				r := randomRecord(g)
				if !r.Verified {
					check(s.AppendRefusal(r, Network(r.Peer)))
					continue // it may be one that is only counted
				}
				check(s.Append(r))
				fmt.Println(r.RequestID) // one write of its own: a kill loses none
			}
		}()
	}
	select {}
}

// randomRecord is what a busy server sees: many clients, several credentials and
// APIs, refusals of known and of unknown clients.
func randomRecord(g int) *Record {
	r := typical()
	r.Time = time.Now()
	r.RequestID = fmt.Sprintf("%d-%016x", g, rand.Uint64())
	r.Client, r.Cred = fmt.Sprint("client", rand.N(5)), fmt.Sprint("s", rand.N(2))
	r.APIs = []string{"orders", "invoices"}[:rand.N(3)]
	switch rand.N(40) {
	case 0:
		r.Outcome, r.Code = Refused, "invalid_scope"
	case 1:
		r.Outcome, r.Code, r.Verified, r.Client, r.Cred = Refused, "invalid_client", false, fmt.Sprint("x", rand.Uint64()), ""
	}
	return r
}

// kills is how often TestKillLosesAndDoublesNothing kills; a long run takes 200.
var kills = flag.Int("kills", 20, "how often a process is killed under load")

// A server that is killed at any moment owes its evidence: after kills at random
// points under load every acknowledged record is in the spool, the chain holds, and the sums in the store are those of the spool:
// nothing is lost and nothing is counted twice.
func TestKillLosesAndDoublesNothing(t *testing.T) {
	dir := t.TempDir()
	acknowledged := make(map[string]bool)
	for range *kills {
		runAndKill(t, dir, acknowledged)
	}
	db, s, f := openAll(t, dir)
	if err := f.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	report := verify(t, s.Dir(), storeAnchors(t, db))
	if !report.OK() {
		t.Errorf("%+v", report.Damages)
	}
	t.Logf("%d acknowledged, %d records in %d segments", len(acknowledged), report.Records, report.Segments)
	if len(acknowledged) < 500 {
		t.Error("too few to mean anything")
	}
	checkStore(t, db, s, acknowledged)
}

// runAndKill lets a child run for a random time.
func runAndKill(t *testing.T, dir string, acknowledged map[string]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for first := true; ; first = false {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		acknowledged[line[:len(line)-1]] = true
		if first {
			time.AfterFunc(time.Duration(rand.N(80))*time.Millisecond, func() { cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

func openAll(t *testing.T, dir string, change ...func(*SpoolConfig)) (*store.Store, *Spool, *Folder) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + filepath.Join(dir, "symbolon.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s := spoolIn(t, filepath.Join(dir, "spool"), append([]func(*SpoolConfig){func(c *SpoolConfig) { c.Now = time.Now }}, change...)...)
	f := NewFolder(FolderConfig{Store: db, Spool: s, Now: s.cfg.Now, Logger: s.cfg.Logger})
	t.Cleanup(f.stop)
	return db, s, f
}

func storeAnchors(t testing.TB, db *store.Store) Anchors {
	t.Helper()
	a, err := LoadAnchors(t.Context(), db, "n1")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// checkStore adds up the whole spool anew, in another way, and compares.
func checkStore(t testing.TB, db *store.Store, s *Spool, acknowledged map[string]bool) {
	t.Helper()
	usage := make(map[store.UsageRow]int64)
	used := make(map[[2]string]store.LastUsed)
	refused := make(map[string]bool) // request ids of what may be in the store
	missing := len(acknowledged)
	for _, r := range records(t, s.Dir()) {
		if acknowledged[r.RequestID] {
			missing--
		}
		if r.Outcome == Notice {
			continue
		}
		if r.Outcome != Issued {
			refused[r.RequestID] = true
		}
		row := store.UsageRow{Hour: r.Time.Unix() / 3600, Issuer: r.Issuer, Outcome: r.Outcome}
		apis := []string{""}
		if r.Verified {
			row.Client, row.Credential = r.Client, r.Cred
			if len(r.APIs) > 0 {
				apis = r.APIs
			}
			if at := r.Time.UnixMicro(); at >= used[[2]string{r.Client, r.Cred}].At {
				used[[2]string{r.Client, r.Cred}] = store.LastUsed{Client: r.Client, Credential: r.Cred, At: at, RequestID: r.RequestID}
			}
		}
		for _, row.API = range apis {
			usage[row] += max(1, r.Count)
		}
	}
	if missing != 0 {
		t.Errorf("%d acknowledged records are not in the spool", missing)
	}
	rows, err := db.Usage(t.Context(), store.UsageQuery{Limit: 100000})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[store.UsageRow]int64)
	for _, row := range rows {
		n := row.Count
		row.Count = 0
		got[row] = n
	}
	if diff := cmp.Diff(usage, got); diff != "" {
		t.Errorf("usage: %s", diff)
	}
	for key, want := range used {
		list, err := db.LastUsedOf(t.Context(), key[0])
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, l := range list {
			found = found || l.Credential == key[1] && l.At == want.At
		}
		if !found {
			t.Errorf("last use of %v: %+v, want %+v", key, list, want)
		}
	}
	ids := make(map[string]int)
	before := ""
	for {
		page, err := db.Records(t.Context(), store.RecordQuery{Class: store.ClassRefusal, Limit: 1000, Before: before})
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			before = r.ID
			ids[r.RequestID]++
		}
	}
	if len(refused) > 0 && len(ids) == 0 {
		t.Error("no refusal is in the store")
	}
	for id, n := range ids {
		if !refused[id] {
			t.Errorf("request %s is in the store, and not in the spool", id)
		}
		if n != 1 && id != "" {
			t.Errorf("request %s is there %d times", id, n)
		}
	}
}
