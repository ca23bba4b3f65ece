package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/symbolon/symbolon/internal/disk"
)

// storedVersion is the version of the stored copy that this build writes and
// reads. A copy of another version is not used: the issuer has the keys.
const storedVersion = 1

// storedKeys is the stored copy of an issuer's key set.
type storedKeys struct {
	V         int    `json:"v"`
	Issuer    string `json:"issuer"`
	Confirmed int64  `json:"confirmed"` // seconds since 1970
	Keys      []byte `json:"keys"`      // the document as it came, in Base64
	Sum       string `json:"sum"`       // against damage: of a torn write, a bad disk, an editor
}

// maxStored bounds what is read of a copy.
const maxStored = 256 << 10

func (s *storedKeys) sum() string {
	h := sha256.New()
	h.Write([]byte(strconv.Itoa(s.V) + "\n" + s.Issuer + "\n" + strconv.FormatInt(s.Confirmed, 10) + "\n"))
	h.Write(s.Keys)
	return hex.EncodeToString(h.Sum(nil))
}

func (k *keys) storedPath() string { return copyPath(k.cfg.DataDir, "keys", k.issuer) }

// load gives the stored copy, if there is one that can be trusted and is not
// too old.
func (k *keys) load() *keySet {
	if k.cfg.DataDir == "" {
		return nil
	}
	set, err := k.read()
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		k.cfg.Logger.Warn("the stored keys are not used; delete the file if this goes on", "file", k.storedPath(), "error", err)
		return nil
	case !set.usable(k.cfg.Now(), k.cfg.MaxStale):
		k.cfg.Logger.Warn("the stored keys are too old, or from a time that is yet to come, and are not used", "file", k.storedPath(), "confirmed", set.confirmed)
		return nil
	}
	return set
}

func (k *keys) read() (*keySet, error) {
	var s storedKeys
	if err := readStored(k.storedPath(), maxStored, &s); err != nil {
		return nil, err
	}
	if err := checkStored(s.V, s.Issuer == k.issuer, s.Sum == s.sum()); err != nil {
		return nil, err
	}
	return parseKeySet(s.Keys, time.Unix(s.Confirmed, 0), k.cfg.Logger)
}

// store writes the copy. That it fails ends nothing: the keys are in memory.
func (k *keys) store(set *keySet) {
	if k.cfg.DataDir == "" {
		return
	}
	s := storedKeys{V: storedVersion, Issuer: k.issuer, Confirmed: set.confirmed.Unix(), Keys: set.text}
	s.Sum = s.sum()
	if err := writeStored(k.cfg.DataDir, k.storedPath(), s); err != nil {
		k.cfg.Logger.Warn("the issuer's keys cannot be stored; a start while the issuer is away would be without keys", "file", k.storedPath(), "error", err)
	}
}

// copyPath names one file per kind and issuer, whatever its URL holds.
func copyPath(dir, kind, issuer string) string {
	sum := sha256.Sum256([]byte(issuer))
	return filepath.Join(dir, kind+"-"+hex.EncodeToString(sum[:8])+".json")
}

// readStored reads a copy of at most so many bytes, if nobody else can have
// written it.
func readStored(path string, most int64, into any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := checkOwner(info, os.Geteuid()); err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("it is damaged: %w", err)
	}
	return nil
}

// checkStored judges what every copy says of itself.
func checkStored(version int, ours, whole bool) error {
	switch {
	case version != storedVersion:
		return fmt.Errorf("it is of version %d, and this build reads %d", version, storedVersion)
	case !ours:
		return errors.New("it is of another issuer")
	case !whole:
		return errors.New("it is damaged: its checksum does not fit")
	}
	return nil
}

// writeStored writes a copy: there is a whole one at any time.
func writeStored(dir, path string, copy any) error {
	data, err := json.Marshal(copy)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return disk.Replace(path, append(data, '\n'), 0o600)
}
