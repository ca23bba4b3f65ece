package audit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// cpu is the processor time of this thread.
func cpu(tb testing.TB) time.Duration {
	var u syscall.Rusage
	const thread = 1 // RUSAGE_THREAD
	if err := syscall.Getrusage(thread, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// besideSignatures runs op and raw P-256 signatures by turns, and tells the
// processor time of one op in nanoseconds and in signatures: the machine's pace
// changes, their relation does not.
func besideSignatures(b *testing.B, op func()) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte("symbolon"))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var spent, signing time.Duration
	const batch, signatures = 1000, 50
	ops := 0
	b.ReportAllocs()
	for b.Loop() {
		op()
		if ops++; ops%batch != 0 {
			continue
		}
		b.StopTimer()
		t0 := cpu(b)
		for range batch {
			op()
		}
		t1 := cpu(b)
		for range signatures {
			if _, err := ecdsa.SignASN1(rand.Reader, key, digest[:]); err != nil {
				b.Fatal(err)
			}
		}
		spent, signing = spent+t1-t0, signing+cpu(b)-t1
		b.StartTimer()
	}
	if n := float64(ops / batch); n > 0 {
		one := float64(spent) / n / batch
		s := float64(signing) / n / signatures
		b.ReportMetric(one, "cpu-ns/op")
		b.ReportMetric(s, "cpu-ns/signature")
		b.ReportMetric(one/s, "signatures/op")
	}
}

func BenchmarkEncode(b *testing.B) {
	r, buf := typical(), make([]byte, 0, MaxRecord)
	besideSignatures(b, func() { buf = r.AppendJSON(buf[:0]) })
	b.ReportMetric(float64(len(buf)), "octets")
}

func BenchmarkAppend(b *testing.B) {
	s, err := OpenSpool(SpoolConfig{Dir: b.TempDir(), Node: "n1"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	r := typical()
	r.Time = s.cfg.Now()
	besideSignatures(b, func() {
		if err := s.Append(r); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkFold reads a record of this process and adds it up: that runs in the
// server too.
func BenchmarkFold(b *testing.B) {
	s := spoolIn(b, b.TempDir(), func(c *SpoolConfig) { c.SegmentBytes = defaultSegment })
	fill(b, s, 0, 10000)
	f := NewFolder(FolderConfig{Spool: s})
	s.opened = Position{}
	besideSignatures(b, func() {
		if f.walk == nil {
			f.walk = f.walkFrom(Position{})
		}
		line, err := f.walk.next()
		if isEOF(err) {
			f.restart()
		} else if err != nil || !f.fold.add(line) {
			b.Fatal(err)
		}
	})
}

// BenchmarkOpen opens a spool whose segment of the default size is full.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	cfg := SpoolConfig{Dir: dir, Node: "n1"}
	s, err := OpenSpool(cfg)
	if err != nil {
		b.Fatal(err)
	}
	r := typical()
	r.Time = s.cfg.Now()
	for s.Position().Offset < defaultSegment-MaxRecord {
		if err := s.Append(r); err != nil {
			b.Fatal(err)
		}
	}
	closeSpool(b, s)
	for b.Loop() {
		s, err := OpenSpool(cfg)
		if err != nil {
			b.Fatal(err)
		}
		closeSpool(b, s)
	}
}
