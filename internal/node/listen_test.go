package node

import (
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestGivenSocketsAreBoundedToo: what an embedding program listens on takes the
// process's files as well.
func TestGivenSocketsAreBoundedToo(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 200 // of which 150 are for connections, 75 from one address
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	restore := func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(restore)
	s := start(t, Config{})
	restore() // the bound was taken when the node opened; the test needs twice as many
	served := 0
	for range 80 {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
			continue
		}
		if n, _ := c.Read(make([]byte, 64)); n > 0 {
			served++
		}
	}
	if served != 75 {
		t.Errorf("%d of 80 connections of one address were served, want 75", served)
	}
}
