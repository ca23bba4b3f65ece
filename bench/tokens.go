package main

import (
	"fmt"
	"time"
)

// tokens measures the CPU per token of symbolon against the floor's.
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
	for _, c := range []struct {
		conns int
		most  float64 // s
	}{{16, 2.5}, {1, 3.5}} {
		n := b.n(25000)
		all, err := b.alternate(7, subject{ours, b.tokenJob(ours, c.conns, n)}, subject{floor, b.tokenJob(floor, c.conns, n)})
		if err != nil {
			return err
		}
		a, f := all[0], all[1]
		oursS, over := median(a, round.inS), ratio(a, f, cpuOver)
		report.atMost(fmt.Sprintf("server CPU per ES256 token, spool on, %s", connections(c.conns)), oursS, c.most, "s")
		report.atMost(fmt.Sprintf("the same over the floor, which takes %.2f s", median(f, round.inS)), over, 1.4, "×")
		for _, side := range []struct {
			name   string
			rounds []round
		}{{"symbolon", a}, {"the floor", f}} {
			report.note("%s, %s: %.0f tokens a second, median %s, on %.2f cores; the load generator on %.2f", side.name, connections(c.conns),
				median(side.rounds, perSecond), short(time.Duration(median(side.rounds, medianTime))),
				median(side.rounds, cores), median(side.rounds, loadCores))
		}
	}
	return nil
}

func connections(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", n)
}

// short is a time with as many digits as mean something.
func short(d time.Duration) string {
	switch {
	case d > 100*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(100 * time.Nanosecond).String()
}
