package configs

import (
	"bytes"
	"fmt"
	"testing"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"
)

// readEnvoy reads YAML as Envoy does, and applies its rules to all messages in it
// but the outermost. It gives how many typed_config there were.
func readEnvoy(text []byte, into proto.Message) (typed int, err error) {
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return 0, err
	}
	if err := protojson.Unmarshal(asJSON, into); err != nil {
		return 0, err
	}
	// An Any that is resolved by protorange is walked like any other message.
	return typed, protorange.Range(into.ProtoReflect(), func(p protopath.Values) error {
		m, ok := p.Index(-1).Value.Interface().(protoreflect.Message)
		if !ok || len(p.Path) == 1 {
			return nil
		}
		if _, ok := m.Interface().(*anypb.Any); ok {
			typed++
			return nil
		}
		if v, ok := m.Interface().(interface{ ValidateAll() error }); ok {
			if err := v.ValidateAll(); err != nil {
				return fmt.Errorf("%s: %w", p.Path, err)
			}
		}
		return nil
	})
}

func TestEnvoyAsksTheGuard(t *testing.T) {
	var b bootstrap.Bootstrap
	typed, err := readEnvoy(block(t, "envoy.yaml"), &b)
	if err != nil || typed != 4 {
		t.Fatalf("%d typed_config, want 4: %v", typed, err)
	}
	if err := b.ValidateAll(); err != nil {
		t.Error(err)
	}
}

func TestEnvoyChecksTokens(t *testing.T) {
	var filters hcm.HttpConnectionManager // the block is the part of it
	typed, err := readEnvoy(block(t, "envoy-jwt.yaml"), &filters)
	if err != nil || typed != 2 || len(filters.HttpFilters) != 2 {
		t.Fatalf("%d typed_config and %d filters, want 2: %v", typed, len(filters.HttpFilters), err)
	}
}

// TestEnvoyReaderSeesMistakes: in names, in values, and inside of typed_config.
func TestEnvoyReaderSeesMistakes(t *testing.T) {
	good := block(t, "envoy.yaml")
	for _, c := range [][2]string{
		{"path_prefix: /forward-auth", "prefix_path: /forward-auth"},
		{"failure_mode_allow: false", "failure_mode_allow: 1"},
		{"timeout: 2s", "timeout: 2"},
		{"timeout: 2s", "timeout: -2s"},
		{"ext_authz.v3.ExtAuthz", "ext_authz.v3.ExtAuth"},
		{"port_value: 8091", "port_value: 80910"},
		{"connect_timeout: 1s", "connect_timeout: 0s"},
		{"stat_prefix: orders", "stat_prefix: \"\""},
	} {
		bad := bytes.Replace(good, []byte(c[0]), []byte(c[1]), 1)
		if bytes.Equal(bad, good) {
			t.Errorf("%q is not in the block", c[0])
		} else if _, err := readEnvoy(bad, &bootstrap.Bootstrap{}); err == nil {
			t.Errorf("%s: no mistake was seen", c[1])
		}
	}
}
