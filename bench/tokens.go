package main

import (
	"fmt"
	"slices"
	"time"
)

// round is one measurement of one server, with the units taken beside it.
type round struct {
	perToken time.Duration // server CPU per request
	result   result
	units    units
}

// inS is the CPU per request in raw signatures.
func (r round) inS() float64 { return float64(r.perToken) / float64(r.units.sign) }

// measure runs the job once warm and once counted.
func measure(p *process, j job) (round, error) {
	warm := j
	warm.N = max(j.N/10, j.Conns)
	if _, err := warm.run(); err != nil {
		return round{}, err
	}
	before := measureUnits(150 * time.Millisecond)
	start, err := p.cpu()
	if err != nil {
		return round{}, err
	}
	r, err := j.run()
	if err != nil {
		return round{}, err
	}
	end, err := p.cpu()
	if err != nil {
		return round{}, err
	}
	after := measureUnits(150 * time.Millisecond)
	return round{
		perToken: (end - start) / time.Duration(j.N),
		result:   r,
		units:    units{(before.sign + after.sign) / 2, (before.verify + after.verify) / 2},
	}, nil
}

// median of a figure over rounds: one disturbed round does not count.
func median(rounds []round, f func(round) float64) float64 {
	all := make([]float64, len(rounds))
	for i, r := range rounds {
		all[i] = f(r)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// tokens measures the CPU per token of symbolon against the floor, alternating.
func (b *bench) tokens(report *report) error {
	ours, err := b.symbolon("tokens", "ES256")
	if err != nil {
		return err
	}
	defer ours.stop()
	floor, err := b.floor()
	if err != nil {
		return err
	}
	defer floor.stop()
	for _, conns := range []int{16, 1} {
		var a, f []round
		for range 5 {
			for p, into := range map[*process]*[]round{ours: &a, floor: &f} {
				r, err := measure(p, b.tokenJob(p, conns, b.n(20000)))
				if err != nil {
					return err
				}
				*into = append(*into, r)
			}
		}
		oursS, floorS := median(a, round.inS), median(f, round.inS)
		limit := map[int]float64{16: 2.5, 1: 3.5}[conns]
		name := fmt.Sprintf("server CPU per ES256 token, spool on, %d connection(s)", conns)
		report.add(name, fmt.Sprintf("%.2f s", oursS), fmt.Sprintf("≤ %.1f s", limit), oursS <= limit)
		report.add(fmt.Sprintf("the same over the floor (%.2f s)", floorS), fmt.Sprintf("%.2f ×", oursS/floorS), "≤ 1.4 ×", oursS <= 1.4*floorS)
		report.note("tokens per second, %d connection(s): symbolon %.0f, floor %.0f; medians %s and %s", conns,
			median(a, func(r round) float64 { return r.result.perSecond() }), median(f, func(r round) float64 { return r.result.perSecond() }),
			time.Duration(median(a, func(r round) float64 { return float64(r.result.Median) })), time.Duration(median(f, func(r round) float64 { return float64(r.result.Median) })))
	}
	return nil
}
