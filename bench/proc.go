package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server under measurement.
type process struct {
	cmd  *exec.Cmd
	addr string // host:port that it printed
}

// start runs a server and waits for the line in which it says where it
// listens; pattern's first group is the address.
func start(pattern *regexp.Regexp, env []string, name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	write.Close()
	found := make(chan string, 1)
	go func() {
		defer close(found)
		lines := bufio.NewScanner(read)
		for sent := false; lines.Scan(); {
			if m := pattern.FindStringSubmatch(lines.Text()); m != nil && !sent {
				found <- m[1]
				sent = true
			} else if !sent {
				fmt.Fprintln(os.Stderr, name+": "+lines.Text())
			}
		}
	}()
	select {
	case addr, ok := <-found:
		if ok {
			return &process{cmd, addr}, nil
		}
		return nil, fmt.Errorf("%s ended before it listened: %v", name, cmd.Wait())
	case <-time.After(30 * time.Second):
		cmd.Process.Kill()
		return nil, fmt.Errorf("%s did not listen within 30 s", name)
	}
}

func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { p.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		p.cmd.Process.Kill()
		<-done
	}
}

// clockTick is what /proc counts in; Linux has had 100 per second for userland
// since it exists.
const clockTick = 10 * time.Millisecond

// cpu is the CPU time that the process has used, user and system.
func (p *process) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("/proc/%d/stat is not readable", p.cmd.Process.Pid)
	}
	return time.Duration(user+system) * clockTick, nil
}

// rss is the resident memory in octets.
func (p *process) rss() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		return 0, fmt.Errorf("no VmRSS for process %d", p.cmd.Process.Pid)
	}
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	return kb << 10, err
}
