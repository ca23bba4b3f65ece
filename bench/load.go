package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// job is what the load generator does: the same request over and over, on
// connections that stay open.
type job struct {
	Addr   string        // host:port
	Host   string        // Host header
	Path   string        // request target
	Method string        // default POST
	Auth   string        // Authorization header
	Form   string        // body; empty: none
	Conns  int           // connections, one request in flight on each
	N      int           // requests in all
	Want   int           // status that counts as success
	Pause  time.Duration // between two requests of a connection
}

// result is what the load generator saw.
type result struct {
	OK, Failed int
	Seconds    float64
	Median     time.Duration
	P99        time.Duration
}

// perSecond is successful requests per second.
func (r result) perSecond() float64 { return float64(r.OK) / r.Seconds }

// run does the job in a second process, so that its CPU is not the server's.
func (j job) run() (result, error) {
	b, err := json.Marshal(j)
	if err != nil {
		return result{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return result{}, err
	}
	cmd := exec.Command(self, "load", string(b))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return result{}, err
	}
	var r result
	if err := json.Unmarshal(out, &r); err != nil {
		return result{}, err
	}
	if r.Failed > 0 {
		return r, fmt.Errorf("%d of %d requests to %s failed", r.Failed, j.N, j.Path)
	}
	return r, nil
}

// loadMain is the second process.
func loadMain(args []string) error {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	if err := flags.Parse(args); err != nil {
		return err
	}
	var j job
	if err := json.Unmarshal([]byte(flags.Arg(0)), &j); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(j.do())
}

func (j job) do() result {
	request := j.request()
	var left, ok, failed atomic.Int64
	left.Store(int64(j.N))
	times := make([][]time.Duration, j.Conns)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range j.Conns {
		wg.Go(func() {
			conn, err := net.Dial("tcp", j.Addr)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				failed.Add(1)
				return
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			for left.Add(-1) >= 0 {
				t := time.Now()
				status, err := exchange(conn, in, request)
				if err != nil || status != j.Want {
					if failed.Add(1) == 1 {
						fmt.Fprintln(os.Stderr, "load:", status, err)
					}
					if err != nil {
						return
					}
					continue
				}
				ok.Add(1)
				times[i] = append(times[i], time.Since(t))
				if j.Pause > 0 {
					time.Sleep(j.Pause)
				}
			}
		})
	}
	wg.Wait()
	r := result{OK: int(ok.Load()), Failed: int(failed.Load()), Seconds: time.Since(began).Seconds()}
	all := slices.Concat(times...)
	if len(all) > 0 {
		slices.Sort(all)
		r.Median, r.P99 = all[len(all)/2], all[len(all)*99/100]
	}
	return r
}

func (j job) request() []byte {
	method := j.Method
	if method == "" {
		method = http.MethodPost
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, j.Path, j.Host)
	if j.Auth != "" {
		b.WriteString("Authorization: " + j.Auth + "\r\n")
	}
	if j.Form != "" {
		fmt.Fprintf(&b, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(j.Form))
	}
	b.WriteString("\r\n" + j.Form)
	return []byte(b.String())
}

// exchange sends one request and reads its answer whole. It knows as much of
// HTTP/1.1 as the servers under measurement use: a length, or chunks.
func exchange(conn net.Conn, in *bufio.Reader, request []byte) (status int, err error) {
	if _, err := conn.Write(request); err != nil {
		return 0, err
	}
	line, err := in.ReadSlice('\n')
	if err != nil || len(line) < 12 {
		return 0, errors.Join(errors.New("no status line"), err)
	}
	status, err = strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, err
	}
	length, chunked := 0, false
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return status, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := strings.Cut(string(line), ":")
		switch strings.ToLower(name) {
		case "content-length":
			length, err = strconv.Atoi(strings.TrimSpace(value))
		case "transfer-encoding":
			chunked = true
		}
		if err != nil {
			return status, err
		}
	}
	if chunked {
		return status, skipChunks(in)
	}
	_, err = in.Discard(length)
	return status, err
}

func skipChunks(in *bufio.Reader) error {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, in, n+2); err != nil || n == 0 {
			return err
		}
	}
}

// clientCredentials is the body of a token request.
func clientCredentials(scope string) string {
	return url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}.Encode()
}

// basic is the Authorization header of a client with a secret.
func basic(id, secret string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return r.Header.Get("Authorization")
}
