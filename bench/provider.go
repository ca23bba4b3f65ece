package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// provider measures tokens per second against npm oidc-provider, in memory, as
// server.mjs sets it up.
func (b *bench) provider(report *report) error {
	theirs, err := b.oidcProvider()
	if err != nil {
		return err
	}
	defer theirs.stop()
	ours, err := b.symbolon("provider", "ES256")
	if err != nil {
		return err
	}
	defer ours.stop()
	// V8 compiles what is hot; what a server does in its first second is no measure.
	if _, err := b.tokenJob(theirs, 16, b.n(10000)).run(); err != nil {
		return err
	}
	const conns = 16
	all, err := b.alternate(5, subject{ours, b.tokenJob(ours, conns, b.n(30000))}, subject{theirs, b.tokenJob(theirs, conns, b.n(8000))})
	if err != nil {
		return err
	}
	a, p := all[0], all[1]
	faster := ratio(a, p, func(a, p round) float64 { return a.result.perSecond() / p.result.perSecond() })
	report.atLeast("tokens per second against npm oidc-provider 9.13.3 in memory, 16 connections", faster, 4.5, "×")
	report.beside("CPU per token of oidc-provider over symbolon's", ratio(p, a, cpuOver), "×")
	report.note("symbolon %.0f tokens a second, %.2f s of CPU each, on %.2f cores; the load generator on %.2f",
		median(a, perSecond), median(a, round.inS), median(a, cores), median(a, loadCores))
	report.note("oidc-provider %.0f tokens a second, %.2f s of CPU each, on %.2f cores; the load generator on %.2f",
		median(p, perSecond), median(p, round.inS), median(p, cores), median(p, loadCores))
	return nil
}

// oidcProvider installs oidc-provider into a copy of its folder, as the lock
// file says, and starts it.
func (b *bench) oidcProvider() (*process, error) {
	dir := filepath.Join(b.dir, "oidc-provider")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for _, name := range []string{"package.json", "package-lock.json", "server.mjs"} {
		text, err := os.ReadFile(filepath.Join("bench", "oidc-provider", name))
		if err != nil {
			return nil, fmt.Errorf("run the bench in the root of the repository: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir, install.Stdout, install.Stderr = dir, os.Stderr, os.Stderr
	if err := install.Run(); err != nil {
		return nil, fmt.Errorf("npm ci in %s (Node 20 or later and its npm are needed): %w", dir, err)
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return start(listening, []string{"NODE_ENV=production"}, "node", filepath.Join(dir, "server.mjs"),
		addr[len("127.0.0.1:"):], benchClient, b.secret, benchAudience, benchScope)
}
