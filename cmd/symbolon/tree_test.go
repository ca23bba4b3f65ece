package main

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func testApp() *app {
	return &app{name: "symbolon", env: func(string) (string, bool) { return "", false }, now: time.Now}
}

// leaves are the commands that do something.
func leaves(cmd *cobra.Command) []*cobra.Command {
	if !cmd.HasSubCommands() {
		return []*cobra.Command{cmd}
	}
	var out []*cobra.Command
	for _, sub := range cmd.Commands() {
		out = append(out, leaves(sub)...)
	}
	return out
}

// TestEveryCommandHasExamplesThatParse walks the tree: help texts are there, and
// each line of an example is a call of the program that the command it stands
// at would accept.
func TestEveryCommandHasExamplesThatParse(t *testing.T) {
	all := leaves(newRoot(testApp()))
	if len(all) < 40 {
		t.Errorf("only %d commands in the tree", len(all))
	}
	for _, cmd := range all {
		path := cmd.CommandPath()
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: the short help is missing or ends in a full stop", path)
		}
		calls := examples(cmd.Example)
		if len(calls) == 0 {
			t.Errorf("%s has no example", path)
		}
		own := false
		for _, call := range calls {
			// A fresh tree for each: flags keep what they were set to.
			found, rest, err := newRoot(testApp()).Find(call)
			if err != nil {
				t.Errorf("%s: %q: %v", path, call, err)
				continue
			}
			own = own || found.CommandPath() == path
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%s: %q: %v", path, call, err)
				continue
			}
			if err := found.ValidateArgs(found.Flags().Args()); err != nil {
				t.Errorf("%s: %q: %v", path, call, err)
			}
		}
		if !own && len(calls) > 0 {
			t.Errorf("%s: none of its examples calls it", path)
		}
	}
}

// examples are the calls of the program in a text of examples, without what is
// piped into or out of them and without variables before them.
func examples(text string) [][]string {
	var out [][]string
	for line := range strings.SplitSeq(text, "\n") {
		for part := range strings.SplitSeq(line, "|") {
			words := shellWords(part)
			for len(words) > 0 && strings.Contains(words[0], "=") {
				words = words[1:]
			}
			if len(words) > 1 && words[0] == "symbolon" {
				out = append(out, words[1:])
			}
		}
	}
	return out
}

// shellWords splits at spaces outside quotes; a redirection and what follows is
// left out.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	open := false
	flush := func() {
		if open {
			words = append(words, word.String())
		}
		word.Reset()
		open = false
	}
	for _, r := range strings.TrimSpace(line) {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case r == '>' || r == '<' || r == '#' && !open:
			flush()
			return words
		case r == ' ' || r == '\t':
			flush()
		default:
			word.WriteRune(r)
			open = true
		}
	}
	flush()
	return words
}

// TestShellWords: lines are taken apart as a shell does, as far as examples need
// it.
func TestShellWords(t *testing.T) {
	got := examples("  X=1 symbolon token --scope 'a b' | jq .\n  symbolon inspect < token.txt # checks\n  curl x | symbolon inspect -")
	want := [][]string{{"token", "--scope", "a b"}, {"inspect"}, {"inspect", "-"}}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if strings.Join(got[i], "\x00") != strings.Join(want[i], "\x00") {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}
