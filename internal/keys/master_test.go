package keys

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/jose"
)

func load(t *testing.T, cfg MasterConfig) *Master {
	t.Helper()
	m, err := LoadMaster(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// refused loads a master key that must not load; the error's text must have
// every part.
func refused(t *testing.T, cfg MasterConfig, target error, parts ...string) {
	t.Helper()
	m, err := LoadMaster(cfg)
	if err == nil {
		t.Fatalf("loaded %s", m)
	}
	if target != nil && !errors.Is(err, target) {
		t.Errorf("error is not %q: %v", target, err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error does not say %q: %v", part, err)
		}
	}
}

func TestMasterIsMadeOnceAndFoundAgain(t *testing.T) {
	dir := t.TempDir()
	first := load(t, MasterConfig{Dir: dir, MayCreate: true})
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 {
		t.Errorf("left over: %v", names)
	}
	again := load(t, MasterConfig{Dir: dir, MayCreate: true, Want: first.ID()})
	if got, err := again.Open("one", nil, first.Seal("one", nil, []byte("x"))); err != nil || string(got) != "x" {
		t.Errorf("after a restart: %q, %v", got, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	env := load(t, MasterConfig{Dir: t.TempDir(), Env: strings.TrimSpace(string(text)), Want: first.ID()})
	if env.ID() != first.ID() {
		t.Errorf("from the environment: %s, want %s", env, first)
	}
	load(t, MasterConfig{Dir: dir, Env: string(text)}) // both, and the same
}

func TestMasterMissing(t *testing.T) {
	dir := t.TempDir()
	refused(t, MasterConfig{Dir: dir, Want: "0011223344556677", MayCreate: true}, ErrNoMaster,
		"0011223344556677", filepath.Join(dir, FileName), EnvName, "copy", "chmod 600")
	refused(t, MasterConfig{Dir: dir}, ErrNoMaster, filepath.Join(dir, FileName))
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 0 {
		t.Errorf("made %v", names)
	}
}

func TestMasterOfAnotherStore(t *testing.T) {
	dir := t.TempDir()
	here, other := load(t, MasterConfig{Dir: dir, MayCreate: true}), NewMaster()
	refused(t, MasterConfig{Dir: dir, Want: other.ID()}, ErrWrongMaster, other.ID(), here.ID(), filepath.Join(dir, FileName))
	refused(t, MasterConfig{Dir: t.TempDir(), Env: here.text(), Want: other.ID()}, ErrWrongMaster, other.ID(), here.ID(), EnvName)
	refused(t, MasterConfig{Dir: dir, Env: other.text()}, ErrWrongMaster, other.ID(), here.ID(), EnvName)
}

func TestMasterFileMustBeSafeAndWhole(t *testing.T) {
	path := func(t *testing.T, text string, mode os.FileMode) string {
		dir := t.TempDir()
		name := filepath.Join(dir, FileName)
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	good := NewMaster().text()
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o700, 0o620} {
		dir := path(t, good, mode)
		refused(t, MasterConfig{Dir: dir, MayCreate: true}, ErrBadMaster, "chmod 600 "+filepath.Join(dir, FileName))
	}
	load(t, MasterConfig{Dir: path(t, good, 0o400)})
	other := NewMaster()
	parts := strings.Split(good, ".")
	for name, text := range map[string]string{
		"empty":        "",
		"cut":          good[:len(good)-5],
		"cut id":       masterPrefix + "." + parts[2],
		"another form": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"wrong id":     masterPrefix + "." + other.ID() + "." + parts[2],
		"two lines":    good + good,
		"over-long":    good + strings.Repeat("\n", maxMasterText) + "x",
		"binary":       string(make([]byte, 32)),
	} {
		t.Run(name, func(t *testing.T) {
			dir := path(t, text, 0o600)
			refused(t, MasterConfig{Dir: dir, MayCreate: true}, ErrBadMaster, filepath.Join(dir, FileName))
			refused(t, MasterConfig{Dir: t.TempDir(), Env: "x" + text, MayCreate: true}, ErrBadMaster, EnvName)
			if after, err := os.ReadFile(filepath.Join(dir, FileName)); err != nil || string(after) != text {
				t.Error("the file was touched")
			}
			_, err := LoadMaster(MasterConfig{Dir: dir})
			if len(text) > 50 && strings.Contains(err.Error(), text[len(text)-30:]) {
				t.Errorf("error repeats the key: %v", err)
			}
		})
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, FileName), 0o700); err != nil {
		t.Fatal(err)
	}
	refused(t, MasterConfig{Dir: dir, MayCreate: true}, ErrBadMaster, "regular file")
}

func TestMasterCannotBeMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	refused(t, MasterConfig{Dir: dir, MayCreate: true}, nil, filepath.Join(dir, FileName), "writable")
}

func TestMasterPrintsAsItsID(t *testing.T) {
	m := NewMaster()
	secret := jose.EncodeSegment(m.secret[:])
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "master", m)
	for _, out := range []string{fmt.Sprint(m), fmt.Sprintf("%v %+v %#v %s", m, m, m, m), log.String()} {
		if strings.Contains(out, secret) || strings.Contains(out, fmt.Sprint(m.secret)[1:20]) || !strings.Contains(out, m.ID()) {
			t.Errorf("printed as %s", out)
		}
	}
}
