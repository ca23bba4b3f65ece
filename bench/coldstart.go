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
	starts, err := server.starts(20)
	if err != nil {
		return err
	}
	report.atMost("cold start to the first token on an existing database", starts.median(), 50, "ms")
	report.note("cold start, 20 times: %.1f to %.1f ms; the server's CPU until the first token: %.0f ms on average",
		slices.Min(starts.times), slices.Max(starts.times), starts.cpu)
	large, n, err := b.withMillion()
	if err != nil {
		return err
	}
	if starts, err = large.starts(7); err != nil {
		return err
	}
	report.beside(fmt.Sprintf("the same with %d clients stored", n), starts.median(), "ms")
	return nil
}

// starts are the times of several starts and their mean CPU, in milliseconds.
type starts struct {
	times []float64
	cpu   float64
}

func (s *starts) median() float64 { return middle(s.times) }

func (i *instance) starts(n int) (*starts, error) {
	var s starts
	for range n {
		took, cpu, err := i.firstToken()
		if err != nil {
			return nil, err
		}
		s.times = append(s.times, float64(took)/1e6)
		s.cpu += float64(cpu) / 1e6 / float64(n)
	}
	return &s, nil
}

// firstToken starts the server and asks until it answers: the time that took,
// and the server's CPU.
func (i *instance) firstToken() (took, cpu time.Duration, err error) {
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
	took = time.Since(began)
	s := <-up
	if s.err != nil {
		return 0, 0, s.err
	}
	defer s.p.stop()
	if err == nil && status != 200 {
		err = fmt.Errorf("the first token: status %d", status)
	}
	cpu, failed := s.p.cpu()
	return took, cpu, errors.Join(err, failed)
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
