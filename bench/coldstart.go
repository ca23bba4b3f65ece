package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// coldStart measures from exec to the first token on a database that exists.
func (b *bench) coldStart(report *report) error {
	server, err := b.configure("coldstart", "ES256")
	if err != nil {
		return err
	}
	if err := server.serve(func(p *process) error { _, err := b.tokenJob(p, 16, b.n(20000)).run(); return err }); err != nil {
		return err
	}
	times, err := server.starts(20)
	if err != nil {
		return err
	}
	report.atMost("cold start to the first token on an existing database", float64(times[len(times)/2])/1e6, 50, "ms")
	report.note("cold start, 20 times: %s to %s", short(times[0]), short(times[len(times)-1]))
	large, n, err := b.withMillion()
	if err != nil {
		return err
	}
	if times, err = large.starts(5); err != nil {
		return err
	}
	report.beside(fmt.Sprintf("the same with %d clients stored", n), float64(times[len(times)/2])/1e6, "ms")
	return nil
}

// starts measures n starts, shortest first.
func (i *instance) starts(n int) ([]time.Duration, error) {
	times := make([]time.Duration, n)
	for k := range times {
		var err error
		if times[k], err = i.firstToken(); err != nil {
			return nil, err
		}
	}
	slices.Sort(times)
	return times, nil
}

// firstToken starts the server and asks until it answers.
func (i *instance) firstToken() (time.Duration, error) {
	request := job{Addr: i.addr, Path: "/token"}.request(i.b.tokenAsk())
	began := time.Now()
	type started struct {
		p   *process
		err error
	}
	up := make(chan started, 1)
	go func() {
		p, err := i.start()
		up <- started{p, err}
	}()
	status, err := untilAnswered(i.addr, request, began.Add(30*time.Second))
	took := time.Since(began)
	s := <-up
	if s.err != nil {
		return 0, s.err
	}
	defer s.p.stop()
	if err == nil && status != 200 {
		err = fmt.Errorf("the first token: status %d", status)
	}
	return took, err
}

// untilAnswered connects again and again, without a pause, until somebody is
// there.
func untilAnswered(addr string, request []byte, deadline time.Time) (status int, err error) {
	for {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			if time.Now().After(deadline) {
				return 0, errors.Join(errors.New("nobody listens"), err)
			}
			continue
		}
		defer conn.Close()
		return newCaller(conn).exchange(request)
	}
}
