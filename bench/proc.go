package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
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
	err = cmd.Start()
	write.Close()
	if err != nil {
		read.Close()
		return nil, err
	}
	said := make(chan string, 1)
	go listen(read, pattern, said)
	select {
	case line := <-said:
		if m := pattern.FindStringSubmatch(line); m != nil {
			return &process{cmd, m[1]}, nil
		}
		return nil, fmt.Errorf("%s ended before it listened: %v\n%s", name, cmd.Wait(), line)
	case <-time.After(30 * time.Second):
		cmd.Process.Kill()
		cmd.Wait()
		return nil, fmt.Errorf("%s did not listen within 30 s", name)
	}
}

// listen sends the line that fits, or everything when none did before the end,
// and shows what is said later: a server has nothing to say then unless
// something is wrong.
func listen(from io.ReadCloser, pattern *regexp.Regexp, said chan<- string) {
	defer from.Close()
	var before strings.Builder
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		line := lines.Text()
		if pattern.MatchString(line) {
			said <- line
			break
		}
		before.WriteString(line + "\n")
	}
	for lines.Scan() {
		if line := lines.Text(); strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") {
			fmt.Fprintln(os.Stderr, line)
		}
	}
	select {
	case said <- before.String():
	default:
	}
}

func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { p.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		fmt.Fprintln(os.Stderr, "bench: a server did not stop within 20 s")
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

// memory is the resident memory in octets, now and at its highest.
func (p *process) memory() (now, peak int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	if now, err = statusKiB(b, "VmRSS"); err == nil {
		peak, err = statusKiB(b, "VmHWM")
	}
	return now, peak, err
}

func statusKiB(status []byte, name string) (octets int64, err error) {
	m := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return 0, fmt.Errorf("/proc/…/status has no %s", name)
	}
	kib, err := strconv.ParseInt(string(m[1]), 10, 64)
	return kib << 10, err
}
