package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// session is one shell, into which a page is typed.
type session struct {
	dir string
	// begin and end stand around what is typed in one step.
	begin, end string
	in         io.Writer
	out        *bufio.Reader
	typed      int
	output     bytes.Buffer
}

const marker = "-- end of the step: "

// newSession starts bash in dir. What it has started ends with the test.
func newSession(t *testing.T, dir string, env []string) *session {
	t.Helper()
	s := startSession(t, dir, env, "bash", "--norc", "--noprofile")
	// The lines stand in a function of one step: return leaves it at the first
	// failure, and the shell goes on.
	s.begin, s.end = "set -o pipefail\ntrap 'return $?' ERR\n", "trap - ERR; "
	return s
}

// newPlainSession starts sh, which knows no more than POSIX says: a line that fails
// is passed over, unless it is the last of its step or prints something else.
func newPlainSession(t *testing.T, dir string, env []string) *session {
	t.Helper()
	return startSession(t, dir, env, "sh")
}

func startSession(t *testing.T, dir string, env []string, shell string, args ...string) *session {
	t.Helper()
	cmd := exec.Command(shell, args...)
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), "SYMBOLON_DATA_DIR=", "SSL_CERT_FILE=", "HOME="+dir)
	cmd.Env = append(cmd.Env, env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Should the test itself be killed, the shell reads the end and ends the jobs.
	fmt.Fprintln(in, "trap 'kill $(jobs -p) 2>/dev/null' EXIT")
	s := &session{dir: dir, in: in, out: bufio.NewReader(out)}
	stop := time.AfterFunc(5*time.Minute, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	t.Cleanup(func() {
		stop.Stop()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() || testing.Verbose() {
			t.Logf("the session printed:\n%s", s.output.String())
			logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
			for _, name := range logs {
				text, _ := os.ReadFile(name)
				t.Logf("%s:\n%s", filepath.Base(name), text)
			}
		}
	})
	return s
}

// page does the steps of a page.
func (s *session) page(t *testing.T, path string, steps []step) {
	t.Helper()
	for _, st := range steps {
		if problem := s.follow(st); problem != "" {
			t.Fatalf("%s:%d: %s", path, st.line, problem)
		}
	}
}

// follow does one step, and says what is wrong with what comes of it.
func (s *session) follow(st step) string {
	if st.file != "" {
		name := filepath.Join(s.dir, st.file)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err.Error()
		}
		if err := os.WriteFile(name, []byte(st.text), 0o600); err != nil {
			return err.Error()
		}
		return ""
	}
	out, code, err := s.run(st.text)
	switch missing := notShown(out, st.shown); {
	case err != nil:
		return fmt.Sprintf("the shell ended: %v", err)
	case code != st.exit:
		return fmt.Sprintf("exit code %d, want %d", code, st.exit)
	case missing != "":
		return fmt.Sprintf("this line of the page was not printed: %s", missing)
	}
	return ""
}

// run types lines and gives what they print, and the exit code of the first that
// fails.
func (s *session) run(text string) (string, int, error) {
	s.typed++
	file := filepath.Join(s.dir, fmt.Sprintf(".step-%d.sh", s.typed))
	if err := os.WriteFile(file, []byte(s.begin+text), 0o600); err != nil {
		return "", 0, err
	}
	end := marker + strconv.Itoa(s.typed) + " "
	fmt.Fprintf(&s.output, "$ %s", strings.ReplaceAll(text, "\n", "\n> "))
	s.output.WriteString("\n")
	if _, err := fmt.Fprintf(s.in, ". %s </dev/null; code=$?; %sprintf '\\n%%s%%d\\n' '%s' $code\n", file, s.end, end); err != nil {
		return "", 0, err
	}
	var out strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if rest, ok := strings.CutPrefix(line, end); ok && err == nil {
			code, err := strconv.Atoi(strings.TrimSpace(rest))
			return out.String(), code, err
		}
		out.WriteString(line)
		s.output.WriteString(line)
		if err != nil {
			return out.String(), 0, err
		}
	}
}

// notShown gives the first shown line that the output has not got behind those
// before it; "" when all are there.
func notShown(out, shown string) string {
	lines := strings.Split(out, "\n")
	for want := range strings.Lines(shown) {
		want = strings.TrimRight(want, "\n")
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".*") + "$")
		for {
			if len(lines) == 0 {
				return want
			}
			line := lines[0]
			lines = lines[1:]
			if pattern.MatchString(strings.TrimRight(line, " \r")) {
				break
			}
		}
	}
	return ""
}

// TestSessionSeesWhatFails: a page whose lines fail, or print something else, is
// not followed to its end.
func TestSessionSeesWhatFails(t *testing.T) {
	sh := newSession(t, t.TempDir(), nil)
	for _, c := range []struct {
		name string
		st   step
		want string
	}{
		{"a good step", step{text: "a=1; f() { echo $a; }\nf\n", shown: "1\n"}, ""},
		{"names and functions stay", step{text: "echo \"$a$(f)\"\n", shown: "11\n"}, ""},
		// Before its exec, a child of bash may lose a signal.
		{"jobs stay", step{text: "sleep 60 &\nuntil grep -q sleep /proc/$!/comm; do :; done\n"}, ""},
		{"and end", step{text: "kill %1; wait %1 || true\n"}, ""},
		{"a line in the middle", step{text: "(exit 3)\necho on\n"}, "exit code 3, want 0"},
		{"a line in the middle of a pipe", step{text: "false | cat\necho on\n"}, "exit code 1, want 0"},
		{"a refusal that is foreseen", step{text: "(exit 3) # exit code 3\n", exit: 3}, ""},
		{"a refusal that does not come", step{text: "true # exit code 3\n", exit: 3}, "exit code 0, want 3"},
		{"another output", step{text: "echo ab\n", shown: "a\n"}, "not printed: a"},
		{"another order", step{text: "echo a; echo b\n", shown: "b\na\n"}, "not printed: a"},
		{"once is not twice", step{text: "echo a\n", shown: "a\na\n"}, "not printed: a"},
		{"errors are shown too", step{text: "echo one two >&2\n", shown: "one …\n"}, ""},
		{"signs of patterns are signs", step{text: "echo axb\n", shown: "a.b\n"}, "not printed: a.b"},
	} {
		if got := sh.follow(c.st); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
