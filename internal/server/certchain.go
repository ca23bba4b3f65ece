package server

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"
	"sync"
	"time"
)

// presentedChain is what a client presented, and the roots that it must lead to.
type presentedChain struct {
	leaf   *x509.Certificate
	others []*x509.Certificate
	roots  *x509.CertPool
}

var errNotForClients = errors.New("the certificate does not say that it is for client authentication (extended key usage clientAuth)")

// verify checks the chain (RFC 5280 §6). x509 looks for any path: certificates
// with one name and key among themselves would cost it a signature for every
// order of them. So only those count that follow each other by name from the
// leaf on, each name once.
func (p presentedChain) verify(now time.Time) error {
	between := x509.NewCertPool()
	names := [][]byte{p.leaf.RawSubject}
	for next := p.named(p.leaf.RawIssuer, names); next != nil; next = p.named(next.RawIssuer, names) {
		between.AddCert(next)
		names = append(names, next.RawSubject)
	}
	_, err := p.leaf.Verify(x509.VerifyOptions{
		Roots: p.roots, Intermediates: between, CurrentTime: now,
		// A server's certificate is no client's, whoever signed it.
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	// Verify takes a certificate without the extension for one of every use. Who
	// signs certificates for servers alone must not have made clients of them.
	if err == nil && !slices.Contains(p.leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		err = errNotForClients
	}
	return err
}

// named is the first certificate of that name; nil when there is none, and for a
// name that was taken already.
func (p presentedChain) named(name []byte, taken [][]byte) *x509.Certificate {
	if slices.ContainsFunc(taken, func(n []byte) bool { return bytes.Equal(n, name) }) {
		return nil
	}
	for _, c := range p.others {
		if bytes.Equal(c.RawSubject, name) {
			return c
		}
	}
	return nil
}

// key names what was presented.
func (p presentedChain) key() [32]byte {
	h := sha256.New()
	for _, c := range append([]*x509.Certificate{p.leaf}, p.others...) {
		sum := sha256.Sum256(c.Raw)
		h.Write(sum[:])
	}
	return [32]byte(h.Sum(nil))
}

// chains remembers for a minute what came of checking a chain. A connection
// presents its certificates once and may send any number of requests: they must
// not cost a chain of signatures each, whoever sends them.
type chains struct {
	mu    sync.Mutex
	known map[[32]byte]verdict
	busy  chan struct{} // who verifies
}

type verdict struct {
	roots *x509.CertPool
	until time.Time
	err   error
}

// Bounds of chains.
const (
	maxVerdicts  = 1024
	verdictLife  = time.Minute
	chainWorkers = 2 // at a time: strangers must not take all of the machine
)

func newChains() *chains {
	return &chains{known: make(map[[32]byte]verdict), busy: make(chan struct{}, chainWorkers)}
}

func (v *chains) verify(p presentedChain, now time.Time) error {
	key := p.key()
	if known, ok := v.find(key, p.roots, now); ok {
		return known.err
	}
	v.busy <- struct{}{}
	defer func() { <-v.busy }()
	if known, ok := v.find(key, p.roots, now); ok { // by who came first
		return known.err
	}
	fresh := verdict{p.roots, now.Add(verdictLife), p.verify(now)}
	for _, c := range append(slices.Clone(p.others), p.leaf) { // it must not outlive what it says
		if c.NotAfter.After(now) && c.NotAfter.Before(fresh.until) {
			fresh.until = c.NotAfter
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.known) >= maxVerdicts {
		for old := range v.known { // any
			delete(v.known, old)
			break
		}
	}
	v.known[key] = fresh
	return fresh.err
}

func (v *chains) find(key [32]byte, roots *x509.CertPool, now time.Time) (verdict, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	known, ok := v.known[key]
	return known, ok && known.roots == roots && now.Before(known.until)
}
