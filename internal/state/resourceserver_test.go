package state

import (
	"slices"
	"strings"
	"testing"

	"github.com/symbolon/symbolon/internal/registry"
)

func TestResourceServers(t *testing.T) {
	const apis = "apis: [{id: a, token: {format: opaque}}, {id: b}]\n"
	for _, tt := range []struct {
		name, text string
		want       string // "a: x y, b: " of those APIs that the file speaks of
		fails      string
	}{
		{"not named", apis, "", ""},
		{"named", apis + "resource_servers:\n  - {api: a, client: x}\n  - {api: b, client: x}\n  - {api: a, client: Y}\n", "a: x Y, b: x", ""},
		{"of one", apis + "resource_servers: [{api: a, client: x}]\n", "a: x, b: ", ""},
		{"of none", apis + "resource_servers: []\n", "a: , b: ", ""},
		{"no APIs", "resource_servers: []\n", "", ""},
		{"an API of elsewhere", apis + "resource_servers: [{api: c, client: x}]\n", "", `state.yaml:2:26: resource_servers.0.api: the file has no API "c"; correct the id`},
		{"no API", apis + "resource_servers:\n  - {client: x}\n", "", `state.yaml:3:5: resource_servers.0.api: missing; name an API`},
		{"no client", apis + "resource_servers:\n  - {api: a}\n", "", `state.yaml:3:5: resource_servers.0.client: not the id of a client; write`},
		{"a client that is none", apis + "resource_servers:\n  - {api: a, client: x y}\n", "", `state.yaml:3:22: resource_servers.0.client: not the id of a client; write`},
		{"twice", apis + "resource_servers:\n  - {api: a, client: x}\n  - {api: a, client: x}\n", "", `state.yaml:4:5: resource_servers.1: it is there twice; write it once`},
		{"at the API itself", "apis: [{id: a, resource_servers: [x]}]\n", "", `state.yaml:1:16: apis.a: unknown key "resource_servers"`},
		{"a member that is none", apis + "resource_servers: [{api: a, clients: x}]\n", "", `unknown key "clients"; write client`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := parse(tt.text)
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range r.Objects.APIs {
				if n.Fields.Has("resource_servers") {
					got = append(got, n.Object.ID+": "+strings.Join(n.Object.ResourceServers, " "))
				}
				if !slices.IsSorted(n.Fields) {
					t.Errorf("fields %v", n.Fields)
				}
			}
			if got := strings.Join(got, ", "); got != tt.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestWhereResourceServersStand: what only the store knows is told at its place.
func TestWhereResourceServersStand(t *testing.T) {
	r, err := parse("apis: [{id: a}, {id: b}]\nresource_servers:\n  - {api: a, client: x}\n  - {api: b, client: x}\n")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"resource_servers.x": "state.yaml:4:5", "resource_servers.y": "state.yaml:3:3", "identifier": "state.yaml:1:17"} {
		if got := r.Where(registry.Problem{Kind: registry.KindAPI, ID: "b", Path: path}); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
