package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/symbolon/symbolon/internal/disk"
	"github.com/symbolon/symbolon/internal/jose"
)

// FileName is the file of the master key in the data directory, EnvName the
// environment variable that may hold the same text instead.
const (
	FileName = "master.key"
	EnvName  = "SYMBOLON_MASTER_KEY"
)

// Errors of [LoadMaster]; compare with errors.Is. The texts say what to do.
var (
	// ErrNoMaster: there is no master key, and none may be made.
	ErrNoMaster = errors.New("no master key")
	// ErrWrongMaster: the master key is not the one that the store wants.
	ErrWrongMaster = errors.New("wrong master key")
	// ErrBadMaster: the text is not a master key, or its file is not safe.
	ErrBadMaster = errors.New("unusable master key")
)

// MasterConfig says where the master key is.
type MasterConfig struct {
	Dir string // the data directory; the file is Dir/master.key
	Env string // value of SYMBOLON_MASTER_KEY; empty: not set
	// Want is the id of the key under which the store's sealed values were
	// sealed (SealedBy); empty when it holds none or is not known yet.
	Want string
	// MayCreate lets a new key be made where there is none: only when the store
	// is known to hold nothing sealed. It has no effect when Want is set.
	MayCreate bool
}

// Master is the key that seals everything else. It prints as its id.
type Master struct {
	secret  [32]byte
	id      [idSize]byte
	ciphers sync.Map // label → *xaes
}

// LoadMaster reads the master key from the environment or from its file, and
// makes the file when there is neither and it may. The file must be readable
// for its owner alone. Both present must be the same key.
func LoadMaster(cfg MasterConfig) (*Master, error) {
	path := filepath.Join(cfg.Dir, FileName)
	m, err := readMaster(path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	source := path
	if cfg.Env != "" {
		env, err := parseMaster(EnvName, cfg.Env)
		if err != nil {
			return nil, err
		}
		if m != nil && m.id != env.id {
			return nil, fmt.Errorf("%w: %s holds the key %s and %s the key %s; keep the one that the store was sealed with%s and remove the other",
				ErrWrongMaster, EnvName, env.ID(), path, m.ID(), named(cfg.Want))
		}
		m, source = env, EnvName
	}
	if m == nil && cfg.MayCreate && cfg.Want == "" {
		return createMaster(cfg.Dir)
	}
	if m == nil {
		return nil, fmt.Errorf("%w: the store holds sealed keys%s, and there is neither %s nor %s; copy master.key from the machine or the backup that has it to %s (chmod 600), or put its text into %s",
			ErrNoMaster, named(cfg.Want), path, EnvName, path, EnvName)
	}
	if cfg.Want != "" && m.ID() != cfg.Want {
		return nil, fmt.Errorf("%w: the store was sealed with the key %s, but %s holds the key %s; replace it by the master.key of the machine or the backup that has the key %s",
			ErrWrongMaster, cfg.Want, source, m.ID(), cfg.Want)
	}
	return m, nil
}

func named(id string) string {
	if id == "" {
		return ""
	}
	return " (id " + id + ")"
}

// NewMaster makes a random master key that is stored nowhere.
func NewMaster() *Master {
	var secret [32]byte
	rand.Read(secret[:]) // never fails (crypto/rand)
	return newMaster(secret)
}

func newMaster(secret [32]byte) *Master {
	m := &Master{secret: secret}
	copy(m.id[:], m.derive("master key id", idSize))
	return m
}

// ID names the key: 16 hexadecimal digits that tell nothing about it.
func (m *Master) ID() string { return hex.EncodeToString(m.id[:]) }

// String is the id: the key itself is never printed.
func (m *Master) String() string { return "master key " + m.ID() }

// GoString is String, for %#v.
func (m *Master) GoString() string { return m.String() }

// LogValue is String, for slog.
func (m *Master) LogValue() slog.Value { return slog.StringValue(m.String()) }

// masterPrefix begins the text form: one line of prefix, id and key. The id is
// there so that a mistyped or cut copy is recognised, the prefix so that
// scanners for leaked secrets are.
const masterPrefix = "symbolon-master-key-1"

// maxMasterText bounds what is read of the file.
const maxMasterText = 1 << 10

// text is what goes into the file or the environment.
func (m *Master) text() string {
	return masterPrefix + "." + m.ID() + "." + jose.EncodeSegment(m.secret[:]) + "\n"
}

// parseMaster reads the text form; where names its place in errors, which
// never repeat any of it.
func parseMaster(where, text string) (*Master, error) {
	parts := strings.Split(strings.TrimSpace(text), ".")
	if len(parts) != 3 || parts[0] != masterPrefix {
		return nil, fmt.Errorf("%w: %s does not hold one line that begins with %q; copy the whole line of the original", ErrBadMaster, where, masterPrefix)
	}
	raw, err := jose.DecodeSegment(parts[2])
	if err != nil || len(raw) != len(Master{}.secret) {
		return nil, fmt.Errorf("%w: the key in %s is cut or mistyped; copy the whole line of the original", ErrBadMaster, where)
	}
	m := newMaster([32]byte(raw))
	if m.ID() != parts[1] {
		return nil, fmt.Errorf("%w: the key in %s does not fit the id beside it; copy the whole line of the original", ErrBadMaster, where)
	}
	return m, nil
}

// readMaster reads the file; fs.ErrNotExist when there is none.
func readMaster(path string) (*Master, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w; the server must be able to read it: check its owner", ErrBadMaster, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadMaster, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrBadMaster, path)
	}
	if mode := info.Mode().Perm(); mode&^0o600 != 0 {
		return nil, fmt.Errorf("%w: others may read or change %s (mode %04o); run: chmod 600 %s", ErrBadMaster, path, mode, path)
	}
	var text bytes.Buffer
	if _, err := io.Copy(&text, io.LimitReader(f, maxMasterText+1)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadMaster, err)
	}
	if text.Len() > maxMasterText {
		text.Reset() // too long to be one
	}
	return parseMaster(path, text.String())
}

// createMaster makes a key and its file. The file appears whole or not at all
// (it is written beside and linked into place, which never replaces another
// one), and it is on disk before anything is sealed with the key.
func createMaster(dir string) (m *Master, err error) {
	path := filepath.Join(dir, FileName)
	fail := func(err error) (*Master, error) {
		return nil, fmt.Errorf("cannot make %s: %w; make the data directory writable for the server", path, err)
	}
	m = NewMaster()
	f, err := os.CreateTemp(dir, FileName+".new-*") // O_EXCL, mode 0600
	if err != nil {
		return fail(err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(m.text())
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if err == nil {
		err = disk.SyncDir(dir)
	}
	if err != nil {
		return fail(err)
	}
	return m, nil
}
