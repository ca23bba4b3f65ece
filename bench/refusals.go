package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
)

// oracle prints how long the refusals take that must not be told apart.
func (b *bench) oracle(report *report) error {
	const disabled, wrong, unknown = 0, 1, 9_999_999
	server, err := b.filled("oracle", 2, func(i int, now time.Time) *registry.Client {
		c := manyClient(i, now)
		if i == disabled {
			c.State = registry.StateDisabled
		}
		return c
	})
	if err != nil {
		return err
	}
	refusal := func(id, secret int) ask {
		return ask{Auth: basic(manyID(id), manySecret(secret)), Form: clientCredentials(benchScope), Want: 401}
	}
	causes := []string{"unknown client", "wrong secret", "disabled client"}
	asks := []ask{refusal(unknown, unknown), refusal(wrong, unknown), refusal(disabled, disabled)}
	return server.serve(func(p *process) error {
		j := job{Addr: p.addr, Path: "/token", Asks: asks, Chance: true, Conns: 32, N: b.n(30000)}
		warm := j
		warm.N /= 10
		if _, err := warm.run(); err != nil {
			return err
		}
		r, err := j.run()
		if err != nil {
			return err
		}
		for i, m := range r.Medians {
			report.beside("median time of a refusal: "+causes[i], float64(m)/1e6, "ms")
		}
		least, most := slices.Min(r.Medians), slices.Max(r.Medians)
		report.note("refusals, %d in all, by chance, %d connections: the medians differ by %s; a refusal waits for the node to catch up with its store, at most 20 times a second",
			r.OK, j.Conns, short(most-least))
		return nil
	})
}

// largest is the largest client that there can be: all secrets that one may
// have, and a document of the greatest size.
func largest(i int, now time.Time) *registry.Client {
	c := manyClient(i, now)
	for k := len(c.Secrets); k < registry.MaxSecrets; k++ {
		c.Secrets = append(c.Secrets, registry.Secret{ID: fmt.Sprintf("s%d", k+1), Hash: registry.HashGenerated(manySecret(1_000_000 + k)), Created: now})
	}
	room := registry.MaxClientDoc - len(must(registry.Encode(c, nil)))
	for k := 0; ; k++ {
		scope := fmt.Sprintf("orders:line-%04d", k)
		if room -= len(scope) + len(`"",`); room < 0 {
			return c
		}
		c.Access["orders"] = append(c.Access["orders"], scope)
	}
}

// Rates of the flood and of the others, requests a second.
const (
	floodRate  = 5000
	othersRate = 200
)

// flood measures the p99 of other clients without and with 5,000 wrong secrets
// a second on the largest client.
func (b *bench) flood(report *report) error {
	const others = 100
	server, err := b.filled("flood", others+1, func(i int, now time.Time) *registry.Client {
		if i == others {
			return largest(i, now)
		}
		return manyClient(i, now)
	})
	if err != nil {
		return err
	}
	seconds, rounds := 12.0, 7
	if b.short {
		seconds, rounds = 4, 3
	}
	var asks []ask
	for i := range others {
		asks = append(asks, manyAsk(i))
	}
	return server.serve(func(p *process) error {
		good := job{Addr: p.addr, Path: "/token", Asks: asks, Conns: 16, N: int(seconds * othersRate), Rate: othersRate}
		bad := job{Addr: p.addr, Path: "/token", Conns: 640, N: int((seconds + 4) * floodRate), Rate: floodRate,
			Asks: []ask{{Auth: basic(manyID(others), manySecret(0)), Form: clientCredentials(benchScope), Want: 401}}}
		f := &flooding{process: p, good: good, bad: bad}
		for range rounds {
			if err := f.round(); err != nil {
				return err
			}
		}
		f.report(report)
		return nil
	})
}

// flooding are the figures of flood, one of each a round.
type flooding struct {
	process             *process
	good, bad           job
	quiet, busy, ratios []float64 // p99 in ms, and their ratio
	rates, cores, load  []float64 // of the flood
}

func (f *flooding) round() error {
	quiet, err := f.good.run()
	if err != nil {
		return err
	}
	wait, err := f.bad.begin()
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second) // until the flood is under way
	start, err := f.process.cpu()
	if err != nil {
		return err
	}
	busy, err := f.good.run()
	if err != nil {
		return err
	}
	end, err := f.process.cpu()
	if err != nil {
		return err
	}
	flood, err := wait()
	if err != nil {
		return err
	}
	f.quiet, f.busy = append(f.quiet, float64(quiet.P99)/1e6), append(f.busy, float64(busy.P99)/1e6)
	f.ratios = append(f.ratios, float64(busy.P99)/float64(quiet.P99))
	f.rates, f.load = append(f.rates, flood.perSecond()), append(f.load, flood.CPU.Seconds()/flood.Seconds)
	f.cores = append(f.cores, (end-start).Seconds()/busy.Seconds)
	return nil
}

func (f *flooding) report(report *report) {
	rate := middle(f.rates)
	report.add("others' p99 under 5,000 wrong secrets a second on the largest client, over their p99 without",
		fmt.Sprintf("%.2f × (%.2f ms over %.2f ms)", middle(f.ratios), middle(f.busy), middle(f.quiet)), "< 2 ×",
		middle(f.ratios) < 2 && math.Abs(rate-floodRate) < floodRate/20)
	report.note("the flood: %.0f wrong secrets a second; the server used %.2f cores, the flood's load generator %.2f", rate, middle(f.cores), middle(f.load))
}
