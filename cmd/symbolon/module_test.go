package main

import (
	"archive/zip"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// moduleVersion is what "@latest" finds in publishModule's directory.
const moduleVersion = "v0.0.1"

// publishModule makes this module's sources what "go get …@latest" finds, from
// files alone, and gives the environment in which that is so. Modules that it
// needs come from where they were downloaded to for this test.
func publishModule(t *testing.T) []string {
	t.Helper()
	const path = "github.com/symbolon/symbolon"
	proxy := t.TempDir()
	at := filepath.Join(proxy, filepath.FromSlash(path), "@v")
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	gomod, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"list":                  moduleVersion + "\n",
		moduleVersion + ".info": `{"Version":"` + moduleVersion + `"}`,
		moduleVersion + ".mod":  string(gomod),
	} {
		if err := os.WriteFile(filepath.Join(at, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := zipModule(filepath.Join(at, moduleVersion+".zip"), path+"@"+moduleVersion+"/"); err != nil {
		t.Fatal(err)
	}
	downloaded, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	gocache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"GOPROXY=file://" + proxy + ",file://" + strings.TrimSpace(string(downloaded)) + "/cache/download",
		"GOMODCACHE=" + t.TempDir(), "GOCACHE=" + strings.TrimSpace(string(gocache)), "GOFLAGS=-modcacherw",
		"GOSUMDB=off", "GOTOOLCHAIN=local", "GOWORK=off",
	}
}

// zipModule writes the module's Go files without tests, each name with the prefix.
func zipModule(name, prefix string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := zip.NewWriter(f)
	root := os.DirFS(repository)
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := filepath.Base(name)
		if entry.IsDir() {
			_, nested := fs.Stat(root, name+"/go.mod")
			if name != "." && (base[0] == '.' || base == "testdata" || base == "node_modules" || nested == nil) {
				return fs.SkipDir
			}
			return nil
		}
		if name != "go.mod" && (!strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go")) {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		out, err := w.Create(prefix + name)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}
