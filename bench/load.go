package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// job is what the load generator does: N requests on connections that stay
// open, one in flight on each.
type job struct {
	Addr   string // host:port, also the Host header
	Path   string
	Method string // default POST
	Asks   []ask  // taken in turn, or by chance
	Chance bool
	Conns  int
	N      int
	// Rate is how many requests are begun a second, all connections together,
	// whether the answers come in time or not; zero: each connection sends as
	// soon as it has its answer.
	Rate float64

	// fresh makes n requests where each is good for once: they are made right
	// before they are sent, by this process, whose CPU nobody counts. nil: Asks.
	fresh func(n int) ([]ask, error)
}

// of is the job with n requests.
func (j job) of(n int) (job, error) {
	j.N = n
	if j.fresh == nil {
		return j, nil
	}
	var err error
	j.Asks, err = j.fresh(n)
	runtime.GC() // not while the units are measured
	return j, err
}

// ask is one request and the status that counts as success.
type ask struct {
	Auth string // Authorization header
	DPoP string // DPoP header; empty: none
	More string // further header lines, each with its CRLF
	Form string // body; empty: none
	Want int
}

// result is what the load generator saw. Times run from the moment at which
// the request was due, so that a server which keeps everybody waiting does not
// look better for the requests that were not sent meanwhile.
type result struct {
	OK, Failed  int
	Seconds     float64
	CPU         time.Duration // of the load generator
	Median, P99 time.Duration
	Medians     []time.Duration // of each ask, when there are few
}

// fewAsks is up to how many asks have medians of their own.
const fewAsks = 16

// perSecond is successful requests per second.
func (r result) perSecond() float64 { return float64(r.OK) / r.Seconds }

// run does the job in a second process, so that its CPU is not the server's.
func (j job) run() (result, error) {
	wait, err := j.begin()
	if err != nil {
		return result{}, err
	}
	return wait()
}

// begin is run for a job beside others; wait gives its result.
func (j job) begin() (wait func() (result, error), err error) {
	b, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "load")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(b), &out, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() (r result, err error) {
		if err := cmd.Wait(); err != nil {
			return r, fmt.Errorf("load: %w", err)
		}
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			return r, err
		}
		if r.Failed > 0 || r.OK != j.N {
			return r, fmt.Errorf("of %d requests to %s%s %d succeeded and %d failed", j.N, j.Addr, j.Path, r.OK, r.Failed)
		}
		return r, nil
	}, nil
}

// loadMain is the second process.
func loadMain() error {
	var j job
	if err := json.NewDecoder(os.Stdin).Decode(&j); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(j.do())
}

// load is a job under way.
type load struct {
	job
	requests [][]byte
	began    time.Time
	next     atomic.Int64
	failed   atomic.Int64
}

// sample is the time that one request took.
type sample struct {
	ask  int
	took time.Duration
}

func (j job) do() result {
	l := &load{job: j}
	for _, a := range j.Asks {
		l.requests = append(l.requests, j.request(a))
	}
	samples := make([][]sample, j.Conns)
	conns := make([]net.Conn, j.Conns)
	for i := range conns {
		var err error
		if conns[i], err = net.Dial("tcp", j.Addr); err != nil {
			fmt.Fprintln(os.Stderr, "load:", err)
			return result{Failed: j.N}
		}
	}
	l.began = time.Now()
	var wg sync.WaitGroup
	for i, conn := range conns {
		wg.Go(func() { samples[i] = l.drive(conn) })
	}
	wg.Wait()
	return l.sum(slices.Concat(samples...))
}

// drive sends requests on one connection until there are none left.
func (l *load) drive(conn net.Conn) (samples []sample) {
	defer conn.Close()
	c := newCaller(conn)
	for {
		k := int(l.next.Add(1)) - 1
		if k >= l.N {
			return samples
		}
		i := k % len(l.Asks)
		if l.Chance {
			i = rand.IntN(len(l.Asks))
		}
		due := l.await(k)
		status, err := c.exchange(l.requests[i])
		if err != nil || status != l.Asks[i].Want {
			if l.failed.Add(1) == 1 {
				fmt.Fprintln(os.Stderr, "load:", status, err)
			}
			if err != nil {
				return samples
			}
			continue
		}
		samples = append(samples, sample{i, time.Since(due)})
	}
}

// await waits until request k is due, and says when that was. That the timer
// woke this process late is not the server's doing.
func (l *load) await(k int) time.Time {
	now := time.Now()
	if l.Rate == 0 {
		return now
	}
	due := l.began.Add(time.Duration(float64(k) / l.Rate * float64(time.Second)))
	if !now.Before(due) {
		return due
	}
	time.Sleep(due.Sub(now))
	return time.Now()
}

func (l *load) sum(samples []sample) result {
	r := result{OK: len(samples), Failed: int(l.failed.Load()), Seconds: time.Since(l.began).Seconds(), CPU: ownCPU()}
	all := make([]time.Duration, 0, len(samples))
	for _, s := range samples {
		all = append(all, s.took)
	}
	if len(all) > 0 {
		slices.Sort(all)
		r.Median, r.P99 = all[len(all)/2], all[len(all)*99/100]
	}
	if len(l.Asks) > 1 && len(l.Asks) <= fewAsks {
		r.Medians = mediansOf(samples, len(l.Asks))
	}
	return r
}

func mediansOf(samples []sample, asks int) []time.Duration {
	each := make([][]time.Duration, asks)
	for _, s := range samples {
		each[s.ask] = append(each[s.ask], s.took)
	}
	medians := make([]time.Duration, asks)
	for i, took := range each {
		if len(took) > 0 {
			slices.Sort(took)
			medians[i] = took[len(took)/2]
		}
	}
	return medians
}
