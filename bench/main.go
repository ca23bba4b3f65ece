// Command bench measures what docs/performance.md states. The unit is s, one
// raw P-256 signature, and v, one raw P-256 verification, both as CPU time
// measured beside each figure; the CPU of a server is read from /proc, its load
// comes from a second process. Every figure is a ratio, never a time.
//
//	go run ./bench                 everything
//	go run ./bench -only tokens    one part
//	go run ./bench -short          a tenth of the requests, to see that it runs
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// part is one group of figures.
type part struct {
	name string
	run  func(*bench, *report) error
}

var parts = []part{
	{"tokens", (*bench).tokens},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "load" {
		exit(loadMain(os.Args[2:]))
	}
	exit(run())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run() error {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	only := flag.String("only", "", "comma-separated parts: "+strings.Join(names, ", "))
	short := flag.Bool("short", false, "a tenth of the requests")
	flag.Parse()
	b, err := newBench(*short)
	if err != nil {
		return err
	}
	defer b.close()
	r := &report{log: os.Stderr}
	for _, p := range parts {
		if *only != "" && !strings.Contains(","+*only+",", ","+p.name+",") {
			continue
		}
		fmt.Fprintf(os.Stderr, "== %s\n", p.name)
		if err := p.run(b, r); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	r.write(os.Stdout, measureUnits(300*time.Millisecond))
	return nil
}
