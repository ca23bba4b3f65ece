package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
)

// legacyFlags add the dated exception for assertions, which is set as a whole.
func legacyFlags(cmd *cobra.Command, m *members) {
	f := cmd.Flags()
	f.String("legacy-assertion", "", "until when assertions in the manner of before are taken: a date at most a year ahead, or none")
	audience := f.StringSlice("legacy-audience", []string{registry.AudienceTokenEndpoint}, "what such an assertion may have as aud: token_endpoint, issuer_array or both")
	life := f.String("legacy-max-lifetime", "", "how long such an assertion may live, at most 1h (default as without the exception)")
	value := func(cmd *cobra.Command, flag string) (any, error) {
		text, err := cmd.Flags().GetString("legacy-assertion")
		switch {
		case err != nil:
			return nil, err
		case text == "none":
			return nil, nil
		case text == "":
			return nil, usagef("--%s goes with --legacy-assertion, which says until when", flag)
		}
		until, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return nil, usagef("--legacy-assertion %q is no date; write it as 2027-01-01, or none", text)
		}
		l := registry.LegacyAssertion{Until: until, Audience: *audience}
		if *life != "" {
			if l.MaxLifetime, err = registry.ParseDuration(*life); err != nil {
				return nil, usagef("--legacy-max-lifetime: %w", err)
			}
		}
		return l, nil
	}
	for _, flag := range []string{"legacy-assertion", "legacy-audience", "legacy-max-lifetime"} {
		m.flags = append(m.flags, member{flag, "legacy_assertion", value})
	}
}

// printCredentials prints the credentials of a client of all sorts.
func printCredentials(w io.Writer, c admin.Client) {
	for _, s := range c.Secrets {
		field(w, "secret "+s.ID, lifeWords(s.Created, s.Expires, s.LastUsed))
	}
	for _, k := range c.Keys {
		name := strings.TrimSpace(cmp.Or(k.Algorithm, "RSA") + " " + k.KeyID)
		field(w, "key "+k.ID, name+", "+lifeWords(k.Created, k.Expires, k.LastUsed))
	}
	if c.KeysURI != nil {
		field(w, "jwks_uri "+c.KeysURI.ID, c.JWKSURI+", "+usedWords(c.KeysURI.LastUsed))
	}
	for _, one := range c.Certificates {
		field(w, "certificate "+one.ID, certificateWords(one)+", "+lifeWords(one.Created, one.Expires, one.LastUsed))
	}
	if l := c.LegacyAssertion; l != nil {
		words := "until " + l.Until.Format(time.DateOnly) + ", aud " + strings.Join(l.Audience, " ")
		if l.MaxLifetime > 0 {
			words += fmt.Sprintf(", at most %s", l.MaxLifetime)
		}
		field(w, "legacy assertion", words)
	}
}

// lifeWords says when a credential was made, ends and was used.
func lifeWords(created, expires, used time.Time) string {
	words := "created " + moment(created)
	if !expires.IsZero() {
		words += ", expires " + moment(expires)
	}
	return words + ", " + usedWords(used)
}

func usedWords(used time.Time) string {
	if used.IsZero() {
		return "never used"
	}
	return "last used " + moment(used)
}
