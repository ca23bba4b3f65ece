package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// report collects the figures of a run and writes them as the table of
// docs/performance.md.
type report struct {
	rows   []string
	notes  []string
	tables []string // besides
	log    io.Writer
}

// add notes one figure with what it should reach; an empty reach is a figure
// beside the table's.
func (r *report) add(what, got, reach string, ok bool) {
	verdict := "yes"
	switch {
	case reach == "":
		reach, verdict = "–", "–"
	case !ok:
		verdict = "**no**"
	}
	row := fmt.Sprintf("| %s | %s | %s | %s |", what, got, reach, verdict)
	r.rows = append(r.rows, row)
	fmt.Fprintln(r.log, row)
}

// atMost notes a figure that should not exceed most.
func (r *report) atMost(what string, got, most float64, unit string) {
	r.add(what, figure(got, unit), "≤ "+bound(most, unit), got <= most)
}

// atLeast notes a figure that should not be below least.
func (r *report) atLeast(what string, got, least float64, unit string) {
	r.add(what, figure(got, unit), "≥ "+bound(least, unit), got >= least)
}

// beside notes a figure that has no bound.
func (r *report) beside(what string, got float64, unit string) {
	r.add(what, figure(got, unit), "", true)
}

func figure(v float64, unit string) string {
	digits := 2
	if v >= 100 {
		digits = 0
	} else if v >= 20 {
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, v, unit)
}

func bound(v float64, unit string) string { return fmt.Sprintf("%g %s", v, unit) }

// note adds a remark below the table.
func (r *report) note(format string, args ...any) {
	line := fmt.Sprintf("- "+format, args...)
	r.notes = append(r.notes, line)
	fmt.Fprintln(r.log, line)
}

// table notes a table of its own, which stands below the remarks.
func (r *report) table(title, head string, rows []string) {
	text := title + "\n\n" + head + "\n" + strings.Join(rows, "\n")
	r.tables = append(r.tables, text)
	fmt.Fprintln(r.log, text)
}

// write gives everything.
func (r *report) write(w io.Writer, u units, took time.Duration) {
	fmt.Fprintf(w, "\n%s, %s, %d cores, %s; at the end 1 s = %s of CPU, 1 v = %s; %s altogether\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), cpuModel(), short(u.sign), short(u.verify), took.Round(time.Second))
	fmt.Fprintln(w, "| what | measured | reach | reached |\n|---|---|---|---|")
	fmt.Fprintln(w, strings.Join(r.rows, "\n"))
	fmt.Fprintln(w, "\n"+strings.Join(r.notes, "\n"))
	for _, text := range r.tables {
		fmt.Fprintln(w, "\n"+text)
	}
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
