package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon/internal/pgtest"
)

// What bench-revocation is made of.
const (
	manyValidators   = 50
	revocationRounds = 10
	otherClients     = 100
	perValidator     = 100.0 // requests a second on each
)

// revocation measures how long a denied client is let in.
func (b *bench) revocation(report *report) error {
	return errors.Join(b.revocationSQLite(report), b.revocationPostgres(report))
}

// revocationSQLite: one node.
func (b *bench) revocationSQLite(report *report) error {
	server, err := b.filled("revocation", revocationRounds+otherClients, manyClient)
	if err != nil {
		return err
	}
	return server.serve(func(p *process) error {
		return b.denyAll(report, &denying{server: server, issuer: p, nodes: []string{p.addr}, what: "SQLite, one node"})
	})
}

// revocationPostgres: two nodes, each followed by half of the validators. What
// is denied at the first one, the second hears of through the database.
func (b *bench) revocationPostgres(report *report) error {
	dsn, stop, err := pgtest.Open()
	if err != nil {
		return err
	}
	defer stop()
	server, err := b.configure("revocation-1", "ES256")
	if err != nil {
		return err
	}
	server.store = dsn
	if err := server.set("store: " + dsn + "\n"); err != nil {
		return err
	}
	if err := server.populate(revocationRounds+otherClients, manyClient); err != nil {
		return err
	}
	second, err := server.twin("revocation-2")
	if err != nil {
		return err
	}
	return server.serve(func(p *process) error {
		return second.serve(func(q *process) error {
			return b.denyAll(report, &denying{server: server, issuer: p, nodes: []string{p.addr, q.addr}, what: "PostgreSQL, two nodes"})
		})
	})
}

// twin configures a second node of a server that was started before: the same
// issuer and store, another address.
func (i *instance) twin(name string) (*instance, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(filepath.Join(i.dir, "master.key"))
	if err != nil {
		return nil, err
	}
	t := &instance{b: i.b, dir: filepath.Join(i.b.dir, name), state: i.state, config: filepath.Join(i.b.dir, name+".yaml"), addr: addr, store: i.store}
	t.variables = []string{"SYMBOLON_MASTER_KEY=" + strings.TrimSpace(string(key))}
	const yaml = "url: http://%s\nlisten: [%q]\ndata_dir: %s\napply: %s\nstore: %s\n"
	return t, os.WriteFile(t.config, fmt.Appendf(nil, yaml, i.addr, addr, t.dir, t.state, t.store), 0o600)
}

// denying is one run of rounds, and what came of it.
type denying struct {
	server *instance
	issuer *process
	nodes  []string
	what   string

	validators *process
	tokens     []string // of each client: first the victims, one a round
	rate       float64
	table      []string
	all        []time.Duration
	commands   []float64 // how long the command took, in ms
}

// denyAll denies one client after the other.
func (b *bench) denyAll(report *report, d *denying) error {
	var asks []ask
	for i := range revocationRounds + otherClients {
		asks = append(asks, manyAsk(i))
	}
	var err error
	if d.tokens, err = collect(d.issuer, asks); err != nil {
		return err
	}
	d.validators, err = start(listening, nil, filepath.Join(b.dir, "validators"), "-issuer", "http://"+d.issuer.addr,
		"-audience", benchAudience, "-scope", benchScope, "-nodes", strings.Join(d.nodes, ","), "-n", fmt.Sprint(manyValidators))
	if err != nil {
		return err
	}
	defer d.validators.stop()
	settle()
	rounds := revocationRounds
	d.rate = perValidator
	if b.short {
		rounds, d.rate = 3, perValidator/5
	}
	for i := range rounds {
		if err := d.round(i); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
	}
	d.report(report)
	return nil
}

// round denies one client while all validators are asked. The time begins with
// the command, whose own start is in it.
func (d *denying) round(i int) error {
	watch, err := newWatch(d.validators, manyValidators, d.rate, d.tokens[i], d.tokens[revocationRounds:])
	if err != nil {
		return err
	}
	began := time.Now()
	time.Sleep(time.Second)
	moment := time.Now()
	out, err := exec.Command(filepath.Join(d.server.b.dir, "symbolon"), "deny", "client", manyID(i), "--yes", "--data-dir", d.server.dir).CombinedOutput()
	command := time.Since(moment)
	if err != nil {
		err = fmt.Errorf("deny: %w\n%s", err, out)
	} else {
		err = watch.settle()
	}
	after, sent, failed := watch.end(moment)
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	d.all, d.commands = append(d.all, after...), append(d.commands, float64(command)/1e6)
	slices.Sort(after)
	d.table = append(d.table, fmt.Sprintf("| %d | %s | %s | %s | %s | %.0f |", i+1, inMillis(at(after, 50)), inMillis(at(after, 99)), inMillis(after[len(after)-1]),
		inMillis(command), float64(sent)/time.Since(began).Seconds()))
	return nil
}

func (d *denying) report(report *report) {
	slices.Sort(d.all)
	report.atMost(fmt.Sprintf("from denying a client to its last request that was let in, %d validators, %s, p99", manyValidators, d.what), float64(at(d.all, 99))/1e6, 1000, "ms")
	report.note("denials, %s: p50 %s, p99 %s, at most %s over %d rounds of %d validators; the command took %.0f ms in the middle", d.what,
		inMillis(at(d.all, 50)), inMillis(at(d.all, 99)), inMillis(d.all[len(d.all)-1]), len(d.table), manyValidators, middle(d.commands))
	report.table(fmt.Sprintf("From denying a client to its last request that was let in, %d validators, %s:", manyValidators, d.what),
		"| round | p50 | p99 | at most | the command itself | requests a second |\n|---|---|---|---|---|---|", d.table)
}

// at is a percentile of what is sorted, the next higher one where there is none.
func at(sorted []time.Duration, percent int) time.Duration {
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

func inMillis(d time.Duration) string { return fmt.Sprintf("%.0f ms", float64(d)/1e6) }
