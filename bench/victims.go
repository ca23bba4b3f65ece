package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// watched is the load on one validator: requests at a steady pace, every other
// one with a token of the client that is going to be denied, the rest with those
// of others, all of which have to be let in.
type watched struct {
	conn    *caller
	victim  []byte
	others  [][]byte
	pace    time.Duration
	offset  time.Duration // so that the validators are not all asked at once
	stopped *atomic.Bool

	last    time.Time // when the victim was let in last
	refused atomic.Int64
	sent    int
	err     error
}

// run sends until it is told to stop.
func (w *watched) run() {
	defer w.conn.conn.Close()
	began := time.Now().Add(w.offset)
	for k := 0; !w.stopped.Load(); k++ {
		time.Sleep(time.Until(began.Add(time.Duration(k) * w.pace)))
		if w.err = w.one(k); w.err != nil {
			return
		}
		w.sent++
	}
}

func (w *watched) one(k int) error {
	request := w.victim
	if k%2 == 1 {
		request = w.others[k/2%len(w.others)]
	}
	status, err := w.conn.exchange(request)
	switch {
	case err != nil:
		return err
	case status == http.StatusOK && k%2 == 0:
		w.last = time.Now()
	case status == http.StatusUnauthorized && k%2 == 0:
		w.refused.Add(1)
	case status != http.StatusOK:
		return fmt.Errorf("a request that is to be let in was answered %d", status)
	}
	return nil
}

// watch begins the load on all validators.
type watch struct {
	all     []*watched
	stopped atomic.Bool
	wg      sync.WaitGroup
}

// newWatch asks each validator at so many requests a second.
func newWatch(p *process, validators int, rate float64, victim string, others []string) (*watch, error) {
	s := new(watch)
	pace := time.Duration(float64(time.Second) / rate)
	for i := range validators {
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			return nil, err
		}
		j := job{Addr: p.addr, Path: fmt.Sprint("/", i), Method: http.MethodGet}
		w := &watched{conn: newCaller(conn), pace: pace, offset: pace * time.Duration(i) / time.Duration(validators), stopped: &s.stopped}
		w.victim = j.request(ask{Auth: "Bearer " + victim})
		for k := range others { // each begins with another one
			w.others = append(w.others, j.request(ask{Auth: "Bearer " + others[(k+i)%len(others)]}))
		}
		s.all = append(s.all, w)
	}
	for _, w := range s.all {
		s.wg.Go(w.run)
	}
	return s, nil
}

// patience is how long validators get to refuse.
const patience = 15 * time.Second

// settle waits until all validators have refused several times.
func (s *watch) settle() error {
	const times = 10
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		waiting := 0
		for _, w := range s.all {
			if w.refused.Load() < times {
				waiting++
			}
		}
		switch {
		case waiting == 0:
			return nil
		case time.Since(began) > patience:
			return fmt.Errorf("%d of %d validators did not refuse within %s", waiting, len(s.all), patience)
		}
	}
}

// end stops the load, and gives for each validator how long after that moment it
// let in the last request of the victim; and how many requests there were.
func (s *watch) end(moment time.Time) (after []time.Duration, sent int, err error) {
	s.stopped.Store(true)
	s.wg.Wait()
	for _, w := range s.all {
		err = errors.Join(err, w.err)
		if w.last.IsZero() {
			err = errors.Join(err, errors.New("a validator never let the client in"))
		}
		after = append(after, max(0, w.last.Sub(moment)))
		sent += w.sent
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return after, sent, err
}
