package node

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a PEM pair that is read again when its files change. A pair
// that cannot be read keeps the one before: a half-written file must not take
// the server off the network.
type certificate struct {
	files TLSFiles
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	stamp   [2]fileStamp
	checked time.Time
}

type fileStamp struct {
	size    int64
	changed time.Time
}

// recheck is how often the files are looked at, at most.
const recheck = time.Second

func loadCertificate(files TLSFiles, now func() time.Time, log *slog.Logger) (*certificate, error) {
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, err
	}
	c := &certificate{files: files, now: now, log: log, current: &pair, checked: now()}
	c.stamp = c.stamps()
	return c, nil
}

func (c *certificate) stamps() (s [2]fileStamp) {
	for i, name := range []string{c.files.Cert, c.files.Key} {
		if info, err := os.Stat(name); err == nil {
			s[i] = fileStamp{info.Size(), info.ModTime()}
		}
	}
	return s
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.checked) < recheck {
		return c.current, nil
	}
	c.checked = now
	stamp := c.stamps()
	if stamp == c.stamp {
		return c.current, nil
	}
	c.stamp = stamp
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		c.log.Error("the changed certificate cannot be used; the one before stays", "cert", c.files.Cert, "error", err)
		return c.current, nil
	}
	c.current = &pair
	c.log.Info("certificate read again", "cert", c.files.Cert)
	return c.current, nil
}

// tlsConfig is what every TLS listener starts from.
func (c *certificate) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: c.get,
	}
}
