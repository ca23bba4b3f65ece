// Command symbolon is the server, and everything that is said to it from a
// command line.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, &app{
		name: calledAs(os.Args[0]), env: os.LookupEnv, environ: os.Environ, now: time.Now,
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
	}, os.Args[1:]))
}
