package state

import (
	"fmt"
	"slices"
	"strings"

	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/config"
	"github.com/symbolon/symbolon/internal/registry"
)

// keyResourceServers is a list of its own in the file, and a member of each API
// elsewhere. A file that has the list names all that there are for each of its
// APIs, also where that is nobody.
const keyResourceServers = "resource_servers"

// resourceServer is a client that may ask about the tokens of an API.
type resourceServer struct {
	API    string `yaml:"api"`
	Client string `yaml:"client"`

	place *config.Value
}

func (r *resourceServer) UnmarshalConfig(v *config.Value) error {
	type plain resourceServer
	r.place = v
	return v.Decode((*plain)(r))
}

// resourceServers puts the list into the APIs that it names. place is nil where
// the file has no such list: then it leaves them alone.
func (l *loader) resourceServers(place *config.Value, list []resourceServer) {
	if place == nil {
		return
	}
	apis := make(map[string]*registry.API, len(l.state.APIs))
	for i := range l.state.APIs {
		n := &l.state.APIs[i]
		apis[n.Object.ID] = &n.Object
		n.Fields = append(n.Fields, keyResourceServers)
		slices.Sort(n.Fields)
	}
	for _, r := range list {
		fail := func(key, message, fix string) {
			l.fail(r.place.At(key, strings.TrimSuffix(r.place.Path()+"."+key, ".")+": "+message, fix))
		}
		api := apis[r.API]
		switch {
		case r.API == "":
			fail("api", "missing", "name an API of this file")
		case api == nil:
			fail("api", "the file has no API "+fmt.Sprintf("%q", r.API), "correct the id, or name it among apis: its resource servers are part of it")
		case !registry.ValidClientID(r.Client):
			fail("client", "not the id of a client", "write 1 to 128 of A-Z, a-z, 0-9 and ._~-")
		case slices.Contains(api.ResourceServers, r.Client):
			fail("", "it is there twice", "write it once")
		default:
			api.ResourceServers = append(api.ResourceServers, r.Client)
		}
	}
}

// whereResourceServer finds the entry of a problem with one of an API's resource
// servers; nil when it is another problem.
func whereResourceServer(document *config.Document, p registry.Problem) *config.Value {
	client, ok := strings.CutPrefix(p.Path, keyResourceServers+".")
	list := document.Root().Key(keyResourceServers)
	if !ok || p.Kind != registry.KindAPI || list == nil {
		return nil
	}
	for _, entry := range list.Items() {
		var r resourceServer
		if entry.Decode(&r) == nil && r.API == p.ID && r.Client == client {
			return entry
		}
	}
	return list
}

// appendResourceServers writes the list. It speaks of every API of the file or
// of none.
func appendResourceServers(m config.Map, apis []admin.Named[registry.API]) (config.Map, error) {
	entries, told := []config.Map{}, 0
	for i := range apis {
		if !apis[i].Fields.Has(keyResourceServers) {
			continue
		}
		told++
		for _, client := range apis[i].Object.ResourceServers {
			entries = append(entries, config.Map{{Key: "api", Value: apis[i].Object.ID}, {Key: "client", Value: client}})
		}
	}
	switch told {
	case 0:
		return m, nil
	case len(apis):
		return append(m, config.Pair{Key: keyResourceServers, Value: entries}), nil
	}
	return nil, fmt.Errorf("%s are known of some of the APIs only", keyResourceServers)
}
