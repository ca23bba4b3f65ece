package main

import (
	"fmt"
)

// middleware measures what package resource adds to a handler, behind a real
// listener; and, by a benchmark of the package, the look-up of a token that was
// verified before.
func (b *bench) middleware(report *report) error {
	issuer, err := b.symbolon("middleware", "ES256")
	if err != nil {
		return err
	}
	defer issuer.stop()
	token, err := b.token(issuer)
	if err != nil {
		return err
	}
	api, err := b.api(issuer)
	if err != nil {
		return err
	}
	defer api.stop()
	// One process for all: what differs is the path alone. The token is
	// sent to the bare handler too.
	get := func(path string, n int) subject {
		return subject{api, job{Addr: api.addr, Path: path, Method: "GET", Asks: []ask{{Auth: "Bearer " + token, Want: 200}}, Conns: 16, N: b.n(n)}}
	}
	all, err := b.alternate(7, get("/bare", 60000), get("/checked", 20000), get("/cached", 60000), get("/raw", 20000))
	if err != nil {
		return err
	}
	bare, checked, cached, raw := all[0], all[1], all[2], all[3]
	report.atMost("`resource` middleware over the same handler without it, CPU per request, 16 connections",
		ratio(checked, bare, cpuBeyond), 1.2, "v")
	report.atMost("request with a token that is in the cache of verified tokens, over the bare handler", ratio(cached, bare, cpuOver), 1.15, "×")
	report.beside("one raw verification in the middleware's place", ratio(raw, bare, cpuBeyond), "v")
	report.note("the bare handler takes %.2f v of CPU per request, with one raw verification %.2f v, with the middleware %.2f v, with a cached token %.2f v",
		median(bare, round.inV), median(raw, round.inV), median(checked, round.inV), median(cached, round.inV))
	found, err := b.packageBenchmarks("./resource", "BenchmarkLookUp")
	if err != nil {
		return err
	}
	lookUp, err := found.of("BenchmarkLookUp")
	if err != nil {
		return err
	}
	report.atMost("look-up of a verified token", lookUp.nanos/1000, 0.6, "µs")
	report.add("its allocations", fmt.Sprintf("%.0f", lookUp.allocs), "0", lookUp.allocs == 0)
	return nil
}
