package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// request is an ask as it goes over the wire.
func (j job) request(a ask) []byte {
	method := j.Method
	if method == "" {
		method = http.MethodPost
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, j.Path, j.Addr)
	if a.Auth != "" {
		b.WriteString("Authorization: " + a.Auth + "\r\n")
	}
	if a.DPoP != "" {
		b.WriteString("DPoP: " + a.DPoP + "\r\n")
	}
	b.WriteString(a.More)
	if a.Form != "" {
		fmt.Fprintf(&b, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(a.Form))
	}
	b.WriteString("\r\n" + a.Form)
	return []byte(b.String())
}

// caller is one connection of the load generator. It knows as much of HTTP/1.1
// as the servers under measurement use, a length or chunks, and allocates
// nothing: what it spends, the server does not have.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
}

func newCaller(conn net.Conn) *caller { return &caller{conn, bufio.NewReader(conn)} }

var (
	lengthName  = []byte("content-length")
	codingName  = []byte("transfer-encoding")
	errNoStatus = errors.New("no status line")
)

// exchange sends one request and reads its answer whole.
func (c *caller) exchange(request []byte) (status int, err error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil || len(line) < len("HTTP/1.1 200") {
		return 0, errors.Join(errNoStatus, err)
	}
	if status, err = number(line[len("HTTP/1.1 "):][:3], 10); err != nil {
		return 0, err
	}
	length, chunked := 0, false
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return status, err
		}
		if len(line) <= len("\r\n") {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, lengthName):
			if length, err = number(value, 10); err != nil {
				return status, err
			}
		case bytes.EqualFold(name, codingName):
			chunked = true
		}
	}
	if chunked {
		return status, c.skipChunks()
	}
	_, err = c.in.Discard(length)
	return status, err
}

func (c *caller) skipChunks() error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := number(line, 16)
		if err != nil {
			return err
		}
		if _, err := c.in.Discard(n + len("\r\n")); err != nil || n == 0 {
			return err
		}
	}
}

func number(text []byte, base int) (int, error) {
	n, err := strconv.ParseUint(string(bytes.TrimSpace(text)), base, 31)
	return int(n), err
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
