package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExamplesLineByLine follows the README of each example in a copy of its
// directory, beside copies of the others, in bash and in sh.
func TestExamplesLineByLine(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(repository, "examples/*/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range pages {
		names = append(names, filepath.Base(filepath.Dir(path)))
	}
	for _, want := range []string{"go-api", "go-job", "mcp-server", "node-api"} {
		if !slices.Contains(names, want) {
			t.Errorf("examples/%s has no README.md", want)
		}
	}
	env := goEnv(t)
	for i, name := range names {
		for shell, start := range map[string]func(*testing.T, string, []string) *session{"bash": newSession, "sh": newPlainSession} {
			t.Run(name+"/"+shell, func(t *testing.T) {
				t.Parallel()
				copied := copyExamples(t)
				text, err := os.ReadFile(filepath.Join(copied, "examples", name, "README.md"))
				if err != nil {
					t.Fatal(err)
				}
				steps, problems := readHowto(string(text))
				if len(problems) > 0 {
					t.Fatalf("%s: %s", pages[i], problems)
				}
				start(t, filepath.Join(copied, "examples", name), env).page(t, pages[i], steps)
			})
		}
	}
}

// goEnv is where Go has its things, for a session, whose home is elsewhere.
func goEnv(t *testing.T) []string {
	t.Helper()
	env := []string{"GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOWORK=off"}
	for _, name := range []string{"GOMODCACHE", "GOCACHE"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(out)))
	}
	return env
}

// copyExamples makes a module with copies of all examples, in which each port is
// another one that is free, and gives its directory.
func copyExamples(t *testing.T) string {
	t.Helper()
	dir, ports := t.TempDir(), make(map[string]string)
	write := func(name, text string) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(os.DirFS(root), "examples", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		write(name, otherPorts(t, string(text), ports))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write("go.sum", string(sums))
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	const path = "github.com/symbolon/symbolon"
	own := strings.Replace(string(gomod), "module "+path+"\n", "module example.com/copy\n", 1)
	write("go.mod", own+"\nrequire "+path+" v0.0.0\nreplace "+path+" => "+root+"\n")
	return dir
}
