package store

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/symbolon/symbolon/internal/pgtest"
)

// clients makes n clients of an ordinary size, a thousand to a commit.
func clients(b testing.TB, s *Store, n int) {
	b.Helper()
	doc := bytes.Repeat([]byte("0123456789abcdef"), 60)
	for i := 0; i < n; {
		update(b, s, func(tx *Tx) error {
			for end := min(n, i+1000); i < end; i++ {
				_, err := tx.Put(Put{Kind: "client", ID: fmt.Sprintf("client-%07d", i), Doc: doc, Attrs: []Attr{
					{AttrName, fmt.Sprint("Client ", i)}, {"owner", fmt.Sprint("o", i%100)}, {"state", "active"}, {"api", "orders"}}})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func BenchmarkReader(b *testing.B) {
	s := open(b, Config{DSN: "sqlite:" + filepath.Join(b.TempDir(), "symbolon.db")})
	clients(b, s, 10_000)
	r, ctx := s.Reader(), b.Context()
	b.Run("Get", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if _, err := r.Get(ctx, "client", fmt.Sprintf("client-%07d", i*7919%10_000)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Seq", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if _, err := r.Seq(ctx, "client", fmt.Sprintf("client-%07d", i*7919%10_000)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Position", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := r.Position(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("SearchPage", func(b *testing.B) {
		for range b.N {
			if _, _, err := r.List(ctx, Query{Kind: "client", Search: "lient 77"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	for name, dsn := range map[string]string{"sqlite": "sqlite:" + filepath.Join(b.TempDir(), "symbolon.db"), "postgres": pgtest.Database(b)} {
		b.Run(name, func(b *testing.B) {
			s, err := Open(b.Context(), Config{DSN: dsn})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			head := headOf(b, s)
			for i := range b.N {
				update(b, s, func(tx *Tx) error {
					if err := tx.Record(Record{Class: ClassChange}); err != nil {
						return err
					}
					_, err := tx.Put(Put{Kind: "client", ID: fmt.Sprint(head.Seq, "-", i), Doc: make([]byte, 1000), Attrs: []Attr{{AttrName, "x"}}})
					return err
				})
			}
		})
	}
}
