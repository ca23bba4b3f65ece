package server

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// BenchmarkIntrospection is the handler by itself, as BenchmarkToken is.
func BenchmarkIntrospection(b *testing.B) {
	f := newAskFixture(b)
	for _, c := range []struct{ name, form, server string }{{"signed", "", "orders-api"}, {"opaque", forSealed, "sealed-api"}} {
		b.Run(c.name, func(b *testing.B) {
			h := f.handler()
			body := bytes.NewReader([]byte("token=" + f.tokenFor(c.form)))
			r := httptest.NewRequest("POST", base+"/introspect", body)
			r.Header.Set("Content-Type", formType)
			r.Header.Set("Authorization", basicAuth(c.server, secret1))
			w := &discard{header: http.Header{}}
			sign := signature(b)
			var signing, handling time.Duration
			b.ReportAllocs()
			for b.Loop() {
				began := time.Now()
				sign() // in the same seconds as what it is the unit of
				middle := time.Now()
				body.Seek(0, 0)
				clear(w.header)
				w.status = 0
				h.ServeHTTP(w, r)
				signing += middle.Sub(began)
				handling += time.Since(middle)
				if w.status != 0 && w.status != 200 {
					b.Fatal(w.status)
				}
			}
			b.ReportMetric(float64(handling)/float64(signing), "signatures/op")
			b.ReportMetric(float64(handling)/float64(b.N), "ns-handler/op")
		})
	}
}
