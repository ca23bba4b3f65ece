package main

import "fmt"

// denials measures what a denial check adds to that of a token, in a set of
// 100,000 entries: by a benchmark of package resource, since the check alone is
// not exported.
func (b *bench) denials(report *report) error {
	var found goBenchmarks
	units, err := beside(func() (err error) {
		found, err = b.packageBenchmarks("./resource", "BenchmarkDenied")
		return err
	})
	if err != nil {
		return err
	}
	fresh, err := found.of("BenchmarkDenied/new_token")
	if err != nil {
		return err
	}
	remembered, err := found.of("BenchmarkDenied/remembered_token")
	if err != nil {
		return err
	}
	inV := fresh.nanos / float64(units.verify)
	report.add("denial check with 100,000 entries, a token that was not seen before", fmt.Sprintf("%.3f v", inV), "≤ 0.04 v", inV <= 0.04)
	report.atMost("the same of a token that is in the cache of verified tokens", remembered.nanos, 250, "ns")
	most := max(fresh.allocs, remembered.allocs)
	report.add("their allocations", fmt.Sprintf("%.0f", most), "0", most == 0)
	report.note("denial check: %.0f ns of a new token, %.0f ns of a remembered one; 1 v was %s", fresh.nanos, remembered.nanos, short(units.verify))
	return nil
}
