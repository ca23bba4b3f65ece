package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// printJSON writes one document to stdout. What could move a terminal's cursor
// is escaped: encoding/json leaves U+009B and the marks that reorder text as
// they are, and a record holds what anybody sent as a client_id.
func (a *app) printJSON(v any) error {
	var doc bytes.Buffer
	e := json.NewEncoder(&doc)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := a.stdout.Write(escapeJSON(doc.Bytes()))
	return err
}

// escapeJSON escapes what is not printable in a JSON text, all of which beyond
// ASCII stands in strings.
func escapeJSON(doc []byte) []byte {
	doc = bytes.ToValidUTF8(doc, []byte("\ufffd")) // a raw member is as it came
	hidden := func(r rune) bool { return r > unicode.MaxASCII && !unicode.IsPrint(r) || r == 0x7f }
	if !bytes.ContainsFunc(doc, hidden) {
		return doc
	}
	var out []byte
	for _, r := range string(doc) {
		switch {
		case !hidden(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// show prints v as JSON where that was asked for, else as text says.
func (p *place) show(v any, text func(w io.Writer)) error {
	if p.json {
		return p.printJSON(v)
	}
	w := tabwriter.NewWriter(plain{p.stdout}, 0, 8, 2, ' ', 0)
	text(w)
	return w.Flush()
}

// plain lets whole lines of text through and nothing that moves a cursor: it is
// where all text for people goes, whoever wrote it.
type plain struct{ io.Writer }

// Write writes the text of b as visible gives it.
func (p plain) Write(b []byte) (int, error) {
	if _, err := io.WriteString(p.Writer, visible(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// visible writes what is not printable as \u and its number, but for the ends
// of lines: what a server or a stranger wrote must not turn a terminal's colours
// off, its lines around or its title into a command.
func visible(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd") // a lone 0x9b is a command to some
	hidden := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// row writes one line of a table.
func row(w io.Writer, cells ...string) {
	for i, c := range cells {
		cells[i] = cmp.Or(printable(c), "-")
	}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

// printable quotes what could move a terminal's cursor: names and labels are
// other people's text.
func printable(text string) string {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// field writes one line of a single object.
func field(w io.Writer, name, value string) { row(w, name, value) }

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// pairs writes a map as "k=v k=v", sorted.
func pairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, " ")
}

// parsePairs reads k=v flags.
func parsePairs(flag string, list []string) (map[string]string, error) {
	out := make(map[string]string, len(list))
	for _, one := range list {
		k, v, ok := strings.Cut(one, "=")
		if !ok || k == "" {
			return nil, usagef("--%s %q is not of the form NAME=VALUE", flag, one)
		}
		if _, twice := out[k]; twice {
			return nil, usagef("--%s names %q twice", flag, k)
		}
		out[k] = v
	}
	return out, nil
}

// parseWhen reads a date, a time, or a duration from now such as "90d".
func (a *app) parseWhen(flag, text string, duration func(string) (time.Duration, error)) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	if d, err := duration(text); err == nil {
		return a.now().UTC().Add(d), nil
	}
	return time.Time{}, usagef("--%s %q is no time; write 2027-01-01, 2027-01-01T12:00:00Z, or 90d", flag, text)
}

// confirmation is asked of commands that cannot be taken back.
type confirmation struct {
	*app
	yes bool
}

func (a *app) confirms(cmd *cobra.Command) *confirmation {
	c := &confirmation{app: a}
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do not ask")
	return c
}

// consequence is what a command does that somebody should think about.
type consequence struct {
	does   string // as "deletes the client billing"
	goesOn string // what it leaves as it is; may be empty
	undo   string // how it is taken back; empty: it cannot be
}

func (c consequence) String() string {
	s := c.does
	if c.undo == "" {
		s += ", and cannot be taken back"
	}
	if c.goesOn != "" {
		s += "; what goes on: " + c.goesOn
	}
	if c.undo != "" {
		s += "; to undo it: " + c.undo
	}
	return s
}

// ask is weigh for what has no way back.
func (c *confirmation) ask(does, id string) error { return c.weigh(consequence{does: does}, id) }

// weigh goes on with --yes, or when the id was typed on a terminal.
func (c *confirmation) weigh(what consequence, id string) error {
	if c.yes {
		return nil
	}
	if !terminal(c.stdin) {
		return usagef("this %s; repeat it with --yes", what)
	}
	fmt.Fprintf(c.stderr, "This %s. Type %s to go on: ", what, printable(id))
	line, err := bufio.NewReader(io.LimitReader(c.stdin, 1<<10)).ReadString('\n')
	if strings.TrimSpace(line) != id || err != nil && err != io.EOF {
		return fmt.Errorf("not confirmed, nothing was changed; type %s, or use --yes", printable(id))
	}
	return nil
}

// terminal reports whether somebody can be asked.
func terminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// group is a command that only holds others.
func group(use, short, long, example string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Example: example,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return noCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(commands...)
	return cmd
}

// noCommand says that cmd has no such command, and which it has that are spelt
// nearly so.
func noCommand(cmd *cobra.Command, name string) error {
	near := ""
	cmd.SuggestionsMinimumDistance = 2 // letters that differ, at most
	if names := cmd.SuggestionsFor(name); len(names) > 0 {
		near = " (perhaps " + strings.Join(names, " or ") + ")"
	}
	return usagef("%s has no command %q%s; %s --help lists them", cmd.CommandPath(), name, near, cmd.CommandPath())
}
