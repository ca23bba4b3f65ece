package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
)

// goBenchmark is what a benchmark of a package says: the middle of its times,
// and the most allocations.
type goBenchmark struct{ nanos, allocs float64 }

// goBenchmarks are those of one run, by name.
type goBenchmarks map[string]goBenchmark

var benchmarkLine = regexp.MustCompile(`(?m)^(Benchmark\S+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op.*\s+(\d+) allocs/op`)

// packageBenchmarks runs a package's own benchmarks, for what is not exported.
func (b *bench) packageBenchmarks(pkg, name string) (goBenchmarks, error) {
	count := "9"
	if b.short {
		count = "3"
	}
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", "^"+name+"$", "-benchmem", "-count", count, pkg)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w\n%s", name, pkg, err, out)
	}
	times, counts := make(map[string][]float64), make(map[string][]float64)
	for _, m := range benchmarkLine.FindAllSubmatch(out, -1) {
		which := string(m[1])
		times[which] = append(times[which], must(strconv.ParseFloat(string(m[2]), 64)))
		counts[which] = append(counts[which], must(strconv.ParseFloat(string(m[3]), 64)))
	}
	found := make(goBenchmarks)
	for which := range times {
		found[which] = goBenchmark{middle(times[which]), slices.Max(counts[which])}
	}
	return found, nil
}

// of gives one of them, which has to be there.
func (g goBenchmarks) of(name string) (goBenchmark, error) {
	found, ok := g[name]
	if !ok {
		return found, fmt.Errorf("there is no figure of %s", name)
	}
	return found, nil
}
