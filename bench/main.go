// Command bench measures what docs/performance.md states. The unit is s, one
// raw P-256 signature, and v, one raw P-256 verification, both as CPU time
// measured beside each figure; the CPU of a server is read from /proc, its load
// comes from a second process. Figures are ratios, so that they mean the same
// on another machine; times stand only where a time is what is promised.
//
//	go run ./bench                 everything, in about an hour
//	go run ./bench -only tokens    one part
//	go run ./bench -short          a tenth of the requests, to see that it runs
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
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
	{"provider", (*bench).provider},
	{"library", (*bench).library},
	{"middleware", (*bench).middleware},
	{"growth", (*bench).growth},
	{"memory", (*bench).memory},
	{"coldstart", (*bench).coldStart},
	{"pool", (*bench).pool},
	{"oracle", (*bench).oracle},
	{"flood", (*bench).flood},
	{"keys", (*bench).keys},
	{"dpop", (*bench).dpop},
	{"replay", (*bench).replay},
	{"introspection", (*bench).introspection},
	{"denials", (*bench).denials},
	{"quiet", (*bench).quiet},
	{"revocation", (*bench).revocation},
	{"guard", (*bench).guarded},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "load" {
		exit(loadMain())
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
	short := flag.Bool("short", false, "a tenth of the requests: the figures mean nothing")
	flag.Parse()
	wanted := names
	if *only != "" {
		wanted = strings.Split(*only, ",")
	}
	for _, name := range wanted {
		if !slices.Contains(names, name) {
			return fmt.Errorf("there is no part %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	began := time.Now()
	b, err := newBench(*short)
	if err != nil {
		return err
	}
	defer b.close()
	r := &report{log: os.Stderr}
	var failed error
	for _, p := range parts {
		if !slices.Contains(wanted, p.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "== %s\n", p.name)
		if err := p.run(b, r); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", p.name, err))
			fmt.Fprintln(os.Stderr, failed)
		}
	}
	r.write(os.Stdout, measureUnits(300*time.Millisecond), time.Since(began))
	return failed
}
