package config

import (
	"errors"
	"testing"
)

// TestOrigins: an error is told where the value came from that it is about.
func TestOrigins(t *testing.T) {
	type inner struct {
		A string `yaml:"a"`
		B string `yaml:"b"`
	}
	var cfg struct {
		One  string   `yaml:"one"`
		Two  string   `yaml:"two"`
		List []string `yaml:"list"`
		In   inner    `yaml:"in"`
		Far  *inner   `yaml:"far"`
	}
	var o Origins
	if err := o.Decode("x.yaml", []byte("list: [p, q]\nin: {a: \"1\"}\none: \"1\"\n"), &cfg); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"X_IN_B": "2", "X_FAR_A": "3", "X_ONE": "4"}
	if err := o.Override(&cfg, "X_", func(k string) (string, bool) { v, ok := env[k]; return v, ok }); err != nil {
		t.Fatal(err)
	}
	o.Set("two", "--two")
	cause := errors.New("m: bad")
	for path, want := range map[string][2]string{ // of Place, of Missing
		"one":       {"X_ONE: m: bad", "X_ONE: m: bad"},
		"one.x.y":   {"X_ONE: m: bad", "X_ONE: m: bad"},
		"two":       {"--two: m: bad", "--two: m: bad"},
		"list.1":    {"x.yaml:1:11: m: bad", "x.yaml:1:11: m: bad"},
		"list.1.at": {"x.yaml:1:11: m: bad", "x.yaml:1:11: m: bad"},
		"in.a":      {"x.yaml:2:9: m: bad", "x.yaml:2:9: m: bad"},
		"in.b":      {"X_IN_B: m: bad", "X_IN_B: m: bad"},
		"in.c":      {"x.yaml:2:1: m: bad", "x.yaml:2:1: m: bad"},
		"far.a":     {"X_FAR_A: m: bad", "X_FAR_A: m: bad"},
		"far.b":     {"m: bad", "m: bad"},
		"three":     {"m: bad", "x.yaml:1:1: m: bad"},
	} {
		place, missing := o.Place(path, cause), o.Missing(path, cause)
		if place.Error() != want[0] || missing.Error() != want[1] || !errors.Is(place, cause) || !errors.Is(missing, cause) {
			t.Errorf("%s: %q, %q, want %q", path, place, missing, want)
		}
	}
	if got := o.Place("in.b", errors.New("in.b: bad")).Error(); got != "X_IN_B: bad" {
		t.Errorf("got %q, want the name once", got)
	}
	for _, nobody := range []*Origins{nil, {}} {
		if nobody.Place("one", cause) != cause || nobody.Missing("one", cause) != cause || nobody.Place("one", nil) != nil {
			t.Error("what knows nothing changes the error")
		}
	}
}
