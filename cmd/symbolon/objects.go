package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// kind is what the commands of issuers, APIs, clients and operators share. V is
// how the admin API shows one.
type kind[V any] struct {
	*app
	word, path string   // "client", "/clients"
	example    string   // an id for examples
	columns    []string // of a list
	cells      func(V) []string
	fields     func(io.Writer, V)
}

// list is the command that lists objects. filters adds what a kind can be
// filtered by.
func (k kind[V]) list(filters map[string]string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   fmt.Sprintf("List the %ss", k.noun()),
		Long:    fmt.Sprintf("list prints all %ss by id; options narrow it down.", k.noun()),
		Example: fmt.Sprintf("  symbolon %[1]s list\n  symbolon %[1]s list --json --search %[2]s", k.word, k.example),
		Args:    exactArgs(),
	}
	p := k.objects(cmd)
	cmd.Flags().String("search", "", "part of the name or id")
	for name, usage := range filters {
		cmd.Flags().String(name, "", usage)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q := url.Values{}
		for name := range filters {
			if v, _ := cmd.Flags().GetString(name); v != "" {
				q.Set(strings.ReplaceAll(name, "-", "_"), v)
			}
		}
		if v, _ := cmd.Flags().GetString("search"); v != "" {
			q.Set("search", v)
		}
		all, err := every[V](cmd.Context(), p, k.path, q)
		if err != nil {
			return err
		}
		return p.show(all, func(w io.Writer) {
			row(w, k.columns...)
			for _, v := range all {
				row(w, k.cells(v)...)
			}
		})
	}
	return cmd
}

// every reads all pages of a list.
func every[V any](ctx context.Context, p *place, path string, q url.Values) ([]V, error) {
	all := []V{}
	q.Set("limit", "1000")
	defer p.waiting("reading the list")()
	for {
		var page admin.Page[V]
		if err := p.call(ctx, http.MethodGet, path+"?"+q.Encode(), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all, nil
		}
		q.Set("after", page.Next)
	}
}

// show is the command that prints one object.
func (k kind[V]) show() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show " + k.arg(),
		Short:   fmt.Sprintf("Show one %s", k.noun()),
		Long:    fmt.Sprintf("show prints everything about one %s.", k.noun()),
		Example: fmt.Sprintf("  symbolon %[1]s show %[2]s\n  symbolon %[1]s show %[2]s --json", k.word, k.example),
		Args:    exactArgs(k.arg()),
	}
	p := k.objects(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var v V
		if err := p.call(cmd.Context(), http.MethodGet, k.path+at(args[0]), nil, &v); err != nil {
			return err
		}
		return k.print(p, v)
	}
	return cmd
}

func (k kind[V]) print(p *place, v V) error {
	return p.show(v, func(w io.Writer) { k.fields(w, v) })
}

// delete is the command that deletes one object. follows says what goes with it.
func (k kind[V]) delete(follows string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "delete " + k.arg(),
		Short:   fmt.Sprintf("Delete one %s", k.noun()),
		Long:    fmt.Sprintf("delete deletes one %s. %s\nNo declarative file brings it back; create does.", k.noun(), follows),
		Example: fmt.Sprintf("  symbolon %s delete %s --yes", k.word, k.example),
		Args:    exactArgs(k.arg()),
	}
	p, sure := k.objects(cmd), k.confirms(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := sure.ask(fmt.Sprintf("deletes the %s %s", k.noun(), args[0]), args[0]); err != nil {
			return err
		}
		var done struct {
			Commit int64 `json:"commit"`
		}
		if err := p.call(cmd.Context(), http.MethodDelete, k.path+at(args[0]), nil, &done); err != nil {
			return err
		}
		return p.show(done, func(w io.Writer) { fmt.Fprintf(w, "%s %s deleted\n", k.noun(), args[0]) })
	}
	return cmd
}

// write is the command that creates (method POST) or updates (PATCH) one
// object, with the members that flags name.
func (k kind[V]) write(cmd *cobra.Command, m *members) *cobra.Command {
	p := k.objects(cmd)
	creates := strings.HasPrefix(cmd.Use, "create")
	if !creates {
		cmd.Args = exactArgs(k.arg())
		m.release(cmd, k.noun())
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		body, err := m.read(cmd)
		if err != nil {
			return err
		}
		var v V
		if creates {
			if len(args) > 0 {
				body["id"] = args[0]
			}
			err = p.call(cmd.Context(), http.MethodPost, k.path, body, &v)
		} else if len(body) == 0 {
			return usagef("nothing to change; %s --help shows what can be", cmd.CommandPath())
		} else {
			err = p.call(cmd.Context(), http.MethodPatch, k.path+at(args[0]), body, &v)
		}
		if err != nil {
			return err
		}
		return k.print(p, v)
	}
	return cmd
}

// noun is the word in a sentence: "API", "operator token".
func (k kind[V]) noun() string {
	if k.word == "api" {
		return "API"
	}
	return strings.ReplaceAll(k.word, "-", " ")
}

func (k kind[V]) arg() string { return strings.ToUpper(k.word) + "-ID" }

// members turns flags into members of a JSON object. Only flags that were given
// count: what is not named is left alone.
type members struct {
	flags []member
}

type member struct {
	flag, path string
	value      func(cmd *cobra.Command, flag string) (any, error)
}

// text adds a flag for a plain text member.
func (m *members) text(cmd *cobra.Command, flag, path, usage string) {
	cmd.Flags().String(flag, "", usage)
	m.flags = append(m.flags, member{flag, path, func(cmd *cobra.Command, flag string) (any, error) { return cmd.Flags().GetString(flag) }})
}

// flag adds a flag that is yes or no.
func (m *members) flag(cmd *cobra.Command, flag, path, usage string) {
	cmd.Flags().Bool(flag, false, usage)
	m.flags = append(m.flags, member{flag, path, func(cmd *cobra.Command, flag string) (any, error) { return cmd.Flags().GetBool(flag) }})
}

// duration adds a flag for a duration member.
func (m *members) duration(cmd *cobra.Command, flag, path, usage string) {
	cmd.Flags().String(flag, "", usage)
	m.flags = append(m.flags, member{flag, path, func(cmd *cobra.Command, flag string) (any, error) {
		text, err := cmd.Flags().GetString(flag)
		if err != nil {
			return nil, err
		}
		d, err := registry.ParseDuration(text)
		if err != nil {
			return nil, usagef("--%s: %w", flag, err)
		}
		return d, nil
	}})
}

// list adds a flag that may be repeated, for a list member.
func (m *members) list(cmd *cobra.Command, flag, path, usage string) {
	cmd.Flags().StringSlice(flag, nil, usage)
	m.flags = append(m.flags, member{flag, path, func(cmd *cobra.Command, flag string) (any, error) {
		list, err := cmd.Flags().GetStringSlice(flag)
		if len(list) == 1 && list[0] == "" {
			list = []string{} // --auth "" takes it all away
		}
		return list, err
	}})
}

// parsed adds a flag that may be repeated, whose texts parse turns into the
// member.
func (m *members) parsed(cmd *cobra.Command, flag, path, usage string, parse func([]string) (any, error)) {
	cmd.Flags().StringArray(flag, nil, usage)
	m.flags = append(m.flags, member{flag, path, func(cmd *cobra.Command, flag string) (any, error) {
		list, err := cmd.Flags().GetStringArray(flag)
		if err != nil {
			return nil, err
		}
		if len(list) == 1 && list[0] == "" {
			list = nil
		}
		return parse(list)
	}})
}

// release adds the flag that takes an object from its set.
func (m *members) release(cmd *cobra.Command, word string) {
	cmd.Flags().Bool("release", false, fmt.Sprintf("take the %s from the declarative file's set that owns it", word))
	m.flags = append(m.flags, member{"release", "managed_by", func(cmd *cobra.Command, flag string) (any, error) {
		if on, err := cmd.Flags().GetBool(flag); err != nil || !on {
			return nil, usagef("--%s takes no value", flag)
		}
		return "", nil
	}})
}

// read gives the members whose flags were given.
func (m *members) read(cmd *cobra.Command) (map[string]any, error) {
	body := map[string]any{}
	for _, f := range m.flags {
		if !cmd.Flags().Changed(f.flag) {
			continue
		}
		v, err := f.value(cmd, f.flag)
		if err != nil {
			return nil, err
		}
		put(body, f.path, v)
	}
	return body, nil
}

// put sets a member of a structure by its dotted path.
func put(body map[string]any, path string, v any) {
	outer, inner, nested := strings.Cut(path, ".")
	if !nested {
		body[path] = v
		return
	}
	below, ok := body[outer].(map[string]any)
	if !ok {
		below = map[string]any{}
		body[outer] = below
	}
	put(below, inner, v)
}

// atMost demands no more than one argument, which has that name.
func atMost(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usagef("%s takes at most one %s; see %s --help", cmd.CommandPath(), name, cmd.CommandPath())
		}
		return nil
	}
}
