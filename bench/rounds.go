package main

import (
	"fmt"
	"slices"
	"time"
)

// subject is one of several things that are measured in turns.
type subject struct {
	process *process
	job     job
}

// round is one measurement of one subject, with the units of the same seconds.
type round struct {
	perRequest time.Duration // the server's CPU
	cores      float64       // how many the server used
	load       float64       // how many the load generator used
	result     result
	units      units
}

// inS is the server's CPU per request in raw signatures.
func (r round) inS() float64 { return float64(r.perRequest) / float64(r.units.sign) }

// inV is the same in raw verifications.
func (r round) inV() float64 { return float64(r.perRequest) / float64(r.units.verify) }

// minTicks is how many clock ticks of CPU a round should take: then reading
// them errs by less than two in a hundred.
const minTicks = 60

// alternate measures the subjects n times in turns, each time in the opposite
// order, and returns the rounds of each.
func (b *bench) alternate(n int, subjects ...subject) ([][]round, error) {
	rounds := make([][]round, len(subjects))
	order := make([]int, len(subjects))
	for i := range order {
		order[i] = i
	}
	for range n {
		for _, i := range order {
			r, err := b.measure(subjects[i])
			if err != nil {
				return nil, err
			}
			rounds[i] = append(rounds[i], r)
		}
		slices.Reverse(order)
	}
	return rounds, nil
}

// measure does a subject's job once warm and once counted.
func (b *bench) measure(s subject) (round, error) {
	warm, err := s.job.of(max(s.job.N/10, s.job.Conns))
	if err != nil {
		return round{}, err
	}
	if _, err := warm.run(); err != nil {
		return round{}, err
	}
	full, err := s.job.of(s.job.N)
	if err != nil {
		return round{}, err
	}
	start, err := s.process.cpu()
	if err != nil {
		return round{}, err
	}
	var r result
	units, err := beside(func() (err error) { r, err = full.run(); return err })
	if err != nil {
		return round{}, err
	}
	end, err := s.process.cpu()
	if err != nil {
		return round{}, err
	}
	used := end - start
	if used < minTicks*clockTick && !b.short {
		return round{}, fmt.Errorf("%d requests took %s of CPU, too little to be read exactly: raise their number", s.job.N, used)
	}
	return round{
		perRequest: used / time.Duration(s.job.N),
		cores:      used.Seconds() / r.Seconds,
		load:       r.CPU.Seconds() / r.Seconds,
		result:     r,
		units:      units,
	}, nil
}

// median of a figure over rounds: one disturbed round does not count.
func median(rounds []round, f func(round) float64) float64 {
	all := make([]float64, len(rounds))
	for i, r := range rounds {
		all[i] = f(r)
	}
	return middle(all)
}

// ratio is the median of a's figure over b's in the same round.
func ratio(a, b []round, f func(a, b round) float64) float64 {
	all := make([]float64, len(a))
	for i := range a {
		all[i] = f(a[i], b[i])
	}
	return middle(all)
}

func middle(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// Figures of rounds.
func perSecond(r round) float64  { return r.result.perSecond() }
func cores(r round) float64      { return r.cores }
func loadCores(r round) float64  { return r.load }
func medianTime(r round) float64 { return float64(r.result.Median) }

// cpuOver is the CPU per request of a in that of b. Both are divided by the
// unit beside them: the machine may have changed its pace between the two.
func cpuOver(a, b round) float64 { return a.inS() / b.inS() }

// cpuBeyond is the CPU per request that a takes more than b, in v.
func cpuBeyond(a, b round) float64 { return a.inV() - b.inV() }
