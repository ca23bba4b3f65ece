package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/resource"
)

// inspection is what there is to say about a token.
type inspection struct {
	Header map[string]json.RawMessage `json:"header"`
	Claims map[string]json.RawMessage `json:"claims"`
	Checks []symbolon.Check           `json:"checks,omitempty"` // none were asked for: absent
	Valid  *bool                      `json:"valid,omitempty"`
}

// inspector is one run of inspect.
type inspector struct {
	*place
	tokenEnv, issuer, audience string
	scopes, typ                []string
}

func newInspectCmd(a *app) *cobra.Command {
	i := &inspector{place: &place{app: a}}
	cmd := &cobra.Command{
		Use:   "inspect [FILE]",
		Short: "Show what is in a token, and whether it is valid",
		Long: `inspect reads a token from a file, standard input ("-", the default) or the
environment, also inside a token endpoint's answer or an Authorization header,
and shows its header and claims with what they mean. With --issuer and --audience
it also makes the checks of an API (RFC 9068 §4) with the issuer's keys, and ends
with exit code 1 when one fails; without, nothing of the token is proven.`,
		Example: `  symbolon token --client billing | symbolon inspect
  symbolon inspect token.txt --issuer https://auth.example.com --audience https://orders.example.com --scope orders:read
  symbolon inspect --token-env ACCESS_TOKEN --json`,
		Args: func(cmd *cobra.Command, args []string) error { return i.args(cmd, args) },
	}
	f := cmd.Flags()
	f.StringVar(&i.tokenEnv, "token-env", "", "take the token from this environment variable")
	f.StringVar(&i.issuer, "issuer", "", "the issuer whose token it must be; its keys are fetched (with --audience default $"+envIssuer+")")
	f.StringVar(&i.audience, "audience", "", "the identifier of the API that it must be for")
	f.StringArrayVar(&i.scopes, "scope", nil, "a scope that it must carry; repeat for more")
	f.StringArrayVar(&i.typ, "allow-typ", nil, "a typ to take besides at+jwt, as JWT")
	f.BoolVar(&i.json, "json", false, "print one JSON document")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return i.run(cmd.Context(), args) }
	return cmd
}

// args refuses a token as an argument: it is as good as a password, and other
// users of the machine can read the command line.
func (i *inspector) args(cmd *cobra.Command, args []string) error {
	if i.issuer == "" && i.audience != "" { // alone it asks for no checks: a token is looked at without them
		i.issuer, _ = i.env(envIssuer)
	}
	switch {
	case len(args) > 1:
		return usagef("%s takes [FILE]; see %s --help", cmd.CommandPath(), cmd.CommandPath())
	case len(args) == 1 && strings.Count(args[0], ".") == 2 && strings.HasPrefix(args[0], "eyJ"):
		return usagef("a token on the command line can be read by other users of this machine; pipe it in, or name a file or --token-env")
	case len(args) == 1 && i.tokenEnv != "":
		return usagef("give one of FILE and --token-env")
	case (i.issuer == "") != (i.audience == ""):
		return usagef("the checks need both --issuer and --audience")
	case i.issuer == "" && len(i.scopes)+len(i.typ) > 0:
		return usagef("--scope and --allow-typ belong to the checks, which need --issuer and --audience")
	}
	return nil
}

func (i *inspector) run(ctx context.Context, args []string) error {
	token, err := i.read(args)
	if err != nil {
		return err
	}
	seen, err := decode(token)
	if err != nil {
		return err
	}
	if i.issuer != "" {
		if err := i.check(ctx, token, seen); err != nil {
			return err
		}
	}
	if err := i.show(seen, func(w io.Writer) { i.print(w, seen) }); err != nil {
		return err
	}
	if seen.Valid != nil && !*seen.Valid {
		return errSilent
	}
	return nil
}

// read takes the token out of what it comes in.
func (i *inspector) read(args []string) (string, error) {
	var data []byte
	var err error
	switch {
	case i.tokenEnv != "":
		value, ok := i.env(i.tokenEnv)
		if !ok {
			return "", fmt.Errorf("the environment variable %s of --token-env is not set", i.tokenEnv)
		}
		data = []byte(value)
	case len(args) == 0 || args[0] == "-":
		data, err = io.ReadAll(io.LimitReader(i.stdin, 2*symbolon.MaxBody))
	default:
		data, err = readLimited(args[0], 2*symbolon.MaxBody)
	}
	if err != nil {
		return "", err
	}
	text := string(bytes.TrimSpace(data))
	var answer symbolon.TokenAnswer
	if strings.HasPrefix(text, "{") && json.Unmarshal(data, &answer) == nil && answer.AccessToken != "" {
		text = answer.AccessToken
	}
	if name, value, ok := strings.Cut(text, ":"); ok && strings.EqualFold(name, "Authorization") {
		text = strings.TrimSpace(value)
	}
	if scheme, value, ok := strings.Cut(text, " "); ok &&
		(strings.EqualFold(scheme, symbolon.TokenTypeBearer) || strings.EqualFold(scheme, symbolon.TokenTypeDPoP)) {
		text = strings.TrimSpace(value)
	}
	if text == "" {
		return "", errors.New("there is no token in the input")
	}
	return text, nil
}

// decode reads the header and the claims without believing them.
func decode(token string) (*inspection, error) {
	parts := strings.Split(token[:min(len(token), symbolon.MaxToken+1)], ".")
	if len(token) > symbolon.MaxToken || len(parts) != 3 {
		return nil, errors.New("this is not a JWT: it wants three parts separated by dots, at most 16 KiB; an opaque token can only be introspected by its API")
	}
	seen := &inspection{}
	for n, to := range []*map[string]json.RawMessage{&seen.Header, &seen.Claims} {
		name := []string{"header", "payload"}[n]
		data, err := jose.DecodeSegment(parts[n])
		if err == nil {
			err = jose.CheckObject(data)
		}
		if err == nil {
			err = json.Unmarshal(data, to)
		}
		if err != nil {
			return nil, fmt.Errorf("the token's %s cannot be read: %w", name, err)
		}
	}
	return seen, nil
}

// check makes the checks of an API.
func (i *inspector) check(ctx context.Context, token string, seen *inspection) error {
	api, err := resource.New(resource.Config{Issuer: i.issuer, Audience: i.audience, AllowTyp: i.typ, Now: i.now})
	if err != nil {
		return asFlags(err)
	}
	defer api.Close()
	defer i.waiting("fetching the issuer's keys")()
	checks, err := api.ExplainToken(ctx, token, i.scopes...)
	valid := err == nil
	seen.Checks, seen.Valid = checks, &valid
	return nil
}

// meanings of header parameters and claims, in the order in which they are
// shown.
var meanings = []struct{ name, words string }{
	{"alg", "algorithm of the signature"},
	{"kid", "which of the issuer's keys signed it"},
	{"typ", "kind of token: at+jwt is an access token (RFC 9068)"},
	{"iss", "who issued it"},
	{"sub", "for whom it stands; with client_credentials the client"},
	{"aud", "which API it is for"},
	{"client_id", "the client that asked for it"},
	{"scope", "what it allows there"},
	{"exp", "when it expires"},
	{"nbf", "from when it is valid"},
	{"iat", "when it was issued"},
	{"jti", "its own id, under which it is in the records"},
	{"cnf", "the key that it is bound to: of use only to who has that"},
	{"gen", "position of the server when it was issued: revocation compares it"},
	{"cred", "id of the credential that it was obtained with"},
}

func (i *inspector) print(w io.Writer, seen *inspection) {
	fmt.Fprintln(w, "HEADER")
	i.members(w, seen.Header)
	fmt.Fprintln(w, "\nCLAIMS")
	i.members(w, seen.Claims)
	if seen.Valid == nil {
		fmt.Fprintln(w, "\nNothing of this is proven: no check was made. Name --issuer and --audience for that.")
		return
	}
	fmt.Fprintln(w, "\nCHECKS")
	for _, c := range seen.Checks {
		verdict, words := "ok", c.Got
		if !c.OK {
			verdict, words = "FAIL", "expected "+c.Expected
			if c.Got != "" {
				words += ", got " + c.Got
			}
			words += "; " + c.Fix
		}
		row(w, verdict, c.Name, words, c.Clause)
	}
	switch _, bound := seen.Claims["cnf"]; {
	case *seen.Valid && bound:
		fmt.Fprintln(w, "\nThe token is valid for this API, from a caller who has the key in cnf: that is checked with each request.")
	case *seen.Valid:
		fmt.Fprintln(w, "\nThe token is valid for this API.")
	default:
		fmt.Fprintln(w, "\nThe token is not valid for this API; later checks were not made.")
	}
}

// members shows what is known first, the rest by name.
func (i *inspector) members(w io.Writer, m map[string]json.RawMessage) {
	rest := maps.Clone(m)
	for _, k := range meanings {
		if raw, ok := m[k.name]; ok {
			row(w, "  "+k.name, i.value(k.name, raw), k.words)
			delete(rest, k.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		row(w, "  "+printable(name), i.value(name, rest[name]), "an extra claim")
	}
}

// value shows strings without quotes and times as times.
func (i *inspector) value(name string, raw json.RawMessage) string {
	switch name {
	case "exp", "nbf", "iat":
		if seconds, err := strconv.ParseFloat(string(raw), 64); err == nil && seconds >= 0 && seconds < 1e11 {
			at := time.Unix(int64(seconds), 0)
			return moment(at) + " (" + away(at.Sub(i.now())) + ")"
		}
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// away is a distance in time in words.
func away(d time.Duration) string {
	if d < 0 {
		return (-d).Round(time.Second).String() + " ago"
	}
	return "in " + d.Round(time.Second).String()
}
