package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/symbolon/symbolon/resource"
)

// counter is a TCP proxy that counts what goes through it both ways: what
// crosses the network, but for the heads of TCP and IP.
type counter struct {
	listener net.Listener
	to       string
	octets   atomic.Int64
	conns    atomic.Int64
}

func newCounter(to string) (*counter, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &counter{listener: listener, to: to}
	go c.serve()
	return c, nil
}

func (c *counter) serve() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.conns.Add(1)
		go c.pass(conn)
	}
}

func (c *counter) pass(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer far.Close()
	back := make(chan struct{})
	go func() {
		defer close(back)
		io.Copy(counted{near, c}, far)
		near.Close()
	}()
	io.Copy(counted{far, c}, near)
	far.Close()
	<-back
}

// counted counts what is written.
type counted struct {
	to net.Conn
	*counter
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.octets.Add(int64(n))
	return n, err
}

// client is an HTTP client all of whose connections go through the counter.
func (c *counter) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, c.listener.Addr().String())
		},
	}}
}

// quiet counts what a validator that has nothing to do exchanges with its
// issuer: requests and answers with their heads.
func (b *bench) quiet(report *report) error {
	server, err := b.symbolon("quiet", "ES256")
	if err != nil {
		return err
	}
	defer server.stop()
	c, err := newCounter(server.addr)
	if err != nil {
		return err
	}
	defer c.listener.Close()
	api, err := resource.New(resource.Config{Issuer: "http://" + server.addr, Audience: benchAudience, HTTP: c.client()})
	if err != nil {
		return err
	}
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := api.Start(ctx); err != nil {
		return err
	}
	settle()
	first := c.octets.Load()
	minutes := 5
	if b.short {
		minutes = 1 // less would not see each wait end
	}
	var most int64
	before := first
	for range minutes {
		time.Sleep(time.Minute)
		now := c.octets.Load()
		most = max(most, now-before)
		before = now
	}
	if before == first {
		return fmt.Errorf("in %d minutes nothing was exchanged: the API does not follow the set", minutes)
	}
	report.atMost(fmt.Sprintf("a quiet validator, octets in the fullest of %d minutes, both ways, heads included", minutes), float64(most)/1e3, 4, "kB")
	report.note("a quiet validator: %.2f kB a minute on average, %d connections in all; its start took %.1f kB",
		float64(before-first)/1e3/float64(minutes), c.conns.Load(), float64(first)/1e3)
	return nil
}
