package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// report collects the figures of a run and writes them as the table of
// docs/performance.md.
type report struct {
	rows  []string
	notes []string
	log   io.Writer
}

// add notes one figure with what it should reach.
func (r *report) add(what, got, reach string, ok bool) {
	verdict := "yes"
	if !ok {
		verdict = "**no**"
	}
	row := fmt.Sprintf("| %s | %s | %s | %s |", what, got, reach, verdict)
	r.rows = append(r.rows, row)
	fmt.Fprintln(r.log, row)
}

// note adds a remark below the table.
func (r *report) note(format string, args ...any) {
	line := fmt.Sprintf("- "+format, args...)
	r.notes = append(r.notes, line)
	fmt.Fprintln(r.log, line)
}

// write gives the whole table.
func (r *report) write(w io.Writer, u units) {
	fmt.Fprintf(w, "\n%s, %d cores, %s; 1 s = %v of CPU, 1 v = %v\n\n", runtime.Version(), runtime.NumCPU(), cpuModel(), u.sign, u.verify)
	fmt.Fprintln(w, "| what | measured | reach | reached |\n|---|---|---|---|")
	fmt.Fprintln(w, strings.Join(r.rows, "\n"))
	fmt.Fprintln(w, "\n"+strings.Join(r.notes, "\n"))
}

func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	_, rest, _ := strings.Cut(string(b), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), ":"))
}
