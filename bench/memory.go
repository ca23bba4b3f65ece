package main

import (
	"fmt"
	"os"
	"time"
)

// memory measures resident memory: idle, after tokens, and with many clients.
func (b *bench) memory(report *report) error {
	server, err := b.symbolon("memory", "ES256")
	if err != nil {
		return err
	}
	defer server.stop()
	settle()
	if err := report.resident(server, "RSS idle", 30); err != nil {
		return err
	}
	tokens := b.n(60000)
	if _, err := b.tokenJob(server, 16, tokens).run(); err != nil {
		return err
	}
	if err := report.resident(server, fmt.Sprintf("RSS after %d tokens", tokens), 40); err != nil {
		return err
	}
	return b.manyClients(report)
}

// settle lets a server do what it does after its start.
func settle() { time.Sleep(3 * time.Second) }

// resident notes the memory that a server has at the moment.
func (r *report) resident(p *process, what string, most float64) error {
	now, peak, err := p.memory()
	if err != nil {
		return err
	}
	r.atMost(what, float64(now)/1e6, most, "MB")
	r.note("%s: %.1f MB at its highest", what, float64(peak)/1e6)
	return nil
}

// inUse is how many of the many clients ask for tokens.
const inUse = 10000

// withMillion is a server with very many clients, made once per run.
func (b *bench) withMillion() (*instance, int, error) {
	n := b.n(1_000_000)
	if b.million == nil {
		began := time.Now()
		i, err := b.filled("million", n, manyClient)
		if err != nil {
			return nil, 0, err
		}
		b.million = i
		fmt.Fprintf(os.Stderr, "%d clients stored in %s\n", n, time.Since(began).Round(time.Second))
	}
	return b.million, n, nil
}

// manyClients lets ten thousand of a million clients ask for tokens.
func (b *bench) manyClients(report *report) error {
	server, n, err := b.withMillion()
	if err != nil {
		return err
	}
	var asks []ask
	for i := range inUse {
		asks = append(asks, manyAsk(i*(n/inUse)))
	}
	return server.serve(func(p *process) error {
		settle()
		if now, _, err := p.memory(); err == nil {
			report.note("RSS idle with %d clients stored: %.1f MB", n, float64(now)/1e6)
		}
		// Each client four times: the first time it is read from the file.
		first, err := (job{Addr: p.addr, Path: "/token", Asks: asks, Conns: 16, N: inUse}).run()
		if err != nil {
			return err
		}
		again, err := (job{Addr: p.addr, Path: "/token", Asks: asks, Conns: 16, N: 3 * inUse}).run()
		if err != nil {
			return err
		}
		report.note("tokens per second, 16 connections: %.0f when each client is read from the file, %.0f afterwards", first.perSecond(), again.perSecond())
		return report.resident(p, fmt.Sprintf("RSS with %d clients stored, %d of them in use", n, inUse), 250)
	})
}
