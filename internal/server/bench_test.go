package server

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/web"
)

// signature is the unit: one raw P-256 signature of 400 octets.
func signature(b *testing.B) func() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	message := make([]byte, 400)
	return func() {
		sum := sha256.Sum256(message)
		if _, err := ecdsa.SignASN1(rand.Reader, key, sum[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// cpu is the process's own time, user and system.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkSignature(b *testing.B) {
	sign := signature(b)
	for b.Loop() {
		sign()
	}
}

// discard is a ResponseWriter that keeps nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkToken is the handler by itself: web's manners, the walk, the spool.
func BenchmarkToken(b *testing.B) {
	f := newFixture(b)
	h := f.handler()
	body := bytes.NewReader([]byte(grant + "&scope=orders%3Aread"))
	r := httptest.NewRequest("POST", base+"/token", body)
	r.Header.Set("Content-Type", formType)
	r.Header.Set("Authorization", basicAuth("billing", secret1))
	w := &discard{header: http.Header{}}
	sign := signature(b)
	var signing, handling time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		sign() // in the same seconds as what it is the unit of
		middle := time.Now()
		body.Seek(0, io.SeekStart)
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
}

// BenchmarkTokenHTTP is the whole server at 16 connections that stay open. The
// load comes from the same process, written by hand: what it costs is measured
// apart, on a server that answers the same octets without doing anything.
func BenchmarkTokenHTTP(b *testing.B) {
	f := newFixture(b)
	answer := f.post("billing", grant+"&scope=orders%3Aread").Body.Bytes()
	idle := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write(answer)
	})
	sign := signature(b)
	for _, c := range []struct {
		name string
		h    http.Handler
	}{{"symbolon", f.handler()}, {"net-http alone", idle}} {
		b.Run(c.name, func(b *testing.B) {
			server := httptest.NewUnstartedServer(c.h)
			web.Limit(server.Config)
			server.Start()
			defer server.Close()
			// The machine drifts: the unit is measured before and after.
			unit := func() time.Duration {
				began := cpu()
				for range 500 {
					sign()
				}
				return (cpu() - began) / 500
			}
			before := unit()
			began := cpu()
			b.SetParallelism(8)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) { load(b, pb, server.Listener.Addr().String()) })
			spent := cpu() - began
			b.ReportMetric(float64(spent)/float64(b.N)*2/float64(before+unit()), "signatures/op")
		})
	}
}

func load(b *testing.B, pb *testing.PB, addr string) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		return
	}
	defer conn.Close()
	form := grant + "&scope=orders%3Aread"
	request := []byte(fmt.Sprintf("POST /token HTTP/1.1\r\nHost: auth.example.com\r\nAuthorization: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		basicAuth("billing", secret1), formType, len(form), form))
	in := bufio.NewReader(conn)
	for pb.Next() {
		if _, err := conn.Write(request); err != nil {
			b.Error(err)
			return
		}
		size := 0
		for first := true; ; first = false {
			line, err := in.ReadString('\n')
			if err != nil || first && !strings.HasPrefix(line, "HTTP/1.1 200") {
				b.Errorf("%q %v", line, err)
				return
			}
			fmt.Sscanf(line, "Content-Length: %d", &size)
			if line == "\r\n" {
				break
			}
		}
		if _, err := in.Discard(size); err != nil {
			b.Error(err)
			return
		}
	}
}
