package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// app is what a command may touch of the outside: tests run it whole with their
// own.
type app struct {
	name    string // how the program was called, for lines to copy
	env     func(string) (string, bool)
	environ func() []string // all of it, NAME=value each; nil: nothing
	now     func() time.Time
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
}

// usageError is a mistake in how a command was called: exit 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usagef makes a usageError.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errSilent ends with exit 1 when everything was said already.
var errSilent = errors.New("failed")

// run is the program: 0 done, 1 refused or failed, 2 wrong usage.
func run(ctx context.Context, a *app, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSilent):
		return 1
	case errors.As(err, &usage):
		a.complain(err)
		return 2
	}
	a.complain(err)
	return 1
}

// complain says what is wrong. Parts of it may be a server's words.
func (a *app) complain(err error) { fmt.Fprintln(plain{a.stderr}, "symbolon:", err) }

// calledAs is what to type to run this program again.
func calledAs(arg string) string {
	if strings.Contains(filepath.ToSlash(arg), "/go-build") {
		return "go run ./cmd/symbolon"
	}
	return arg
}

// exactArgs demands that many arguments, by name.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		want := "no argument"
		if len(names) > 0 {
			want = strings.Join(names, " ")
		}
		return usagef("%s takes %s; see %s --help", cmd.CommandPath(), want, cmd.CommandPath())
	}
}
