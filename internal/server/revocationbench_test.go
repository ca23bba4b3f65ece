package server

import (
	"fmt"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
)

// manyDenied is the feed of an issuer that denies so many clients.
func manyDenied(b *testing.B, f *fixture, n int) *feed {
	b.Helper()
	for at := 0; at < n; at += 1000 {
		objects := make([]any, 1000)
		for i := range objects {
			objects[i] = f.denial(registry.Denial{What: registry.DenyJTI, Issuer: "default", JTI: fmt.Sprint(at + i)})
		}
		f.put(objects...)
	}
	if err := f.replica.CatchUp(b.Context()); err != nil {
		b.Fatal(err)
	}
	return newFeed(&f.feeds, f.replica.Snapshot().Issuers["default"])
}

// BenchmarkOneMoreDenial of 100,000: what the commit costs until the text that
// wakes all validators is signed, without the commit itself.
func BenchmarkOneMoreDenial(b *testing.B) {
	f := newFixture(b)
	feed := manyDenied(b, f, 100_000)
	_, at := feed.look()
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		f.apply(f.denial(ofClient(fmt.Sprint("c", n))))
		b.StartTimer()
		q := &revocationQuery{difference: true, since: at}
		var d *denied
		d, at = feed.look()
		if _, err := feed.text(d, at, q); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWholeSet of 100,000, signed anew.
func BenchmarkWholeSet(b *testing.B) {
	f := newFixture(b)
	feed := manyDenied(b, f, 100_000)
	for b.Loop() {
		clear(feed.texts)
		d, at := feed.look()
		text, err := feed.text(d, at, new(revocationQuery))
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(text)))
	}
}
