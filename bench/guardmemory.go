package main

import (
	"fmt"
	"strings"
)

// guardMemory measures whether the guard's memory grows with the requests: many
// tokens, more than its cache holds, half of the requests by either way. What
// counts is the highest that it ever was: what is resident goes up and down with
// garbage.
func (b *bench) guardMemory(report *report, issuer, api *process) error {
	const parts, warm = 10, 2 // the requests are sent in ten parts, of which two fill what is bounded
	requests, tokens := b.n(1_000_000), b.n(20000)
	texts, err := b.tokensOf(issuer, tokens)
	if err != nil {
		return err
	}
	g, err := b.guard(issuer, api, tokens/2)
	if err != nil {
		return err
	}
	defer g.stop()
	var resident []string
	var first, last int64
	for part := range parts {
		half := requests / parts / 2
		for _, j := range []job{g.through(texts, half), g.asking(texts, half)} {
			if _, err := j.run(); err != nil {
				return err
			}
		}
		now, peak, err := g.proxy.memory()
		if err != nil {
			return err
		}
		resident = append(resident, fmt.Sprintf("%.1f", float64(now)/1e6))
		if part < warm {
			first = peak
		}
		last = peak
	}
	report.add(fmt.Sprintf("the guard's highest RSS after %d requests, over that after %d", requests, requests*warm/parts),
		fmt.Sprintf("%.2f × (%.1f over %.1f MB)", float64(last)/float64(first), float64(last)/1e6, float64(first)/1e6), "≤ 1.1 ×",
		float64(last) <= 1.1*float64(first))
	report.note("the guard's RSS after each tenth of %d requests with %d tokens, %d of them remembered: %s MB", requests, tokens, tokens/2, strings.Join(resident, ", "))
	return nil
}
