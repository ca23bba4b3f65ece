package configs

import (
	"bytes"
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
)

// readKubernetes reads the file of --authentication-config as the API server
// does, compiles its expressions and applies its rules.
func readKubernetes(text []byte) (*apiserver.AuthenticationConfiguration, error) {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	read, err := runtime.Decode(serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDecoder(), text)
	if err != nil {
		return nil, err
	}
	c, ok := read.(*apiserver.AuthenticationConfiguration)
	if !ok {
		return nil, errors.New("another kind")
	}
	return c, validation.ValidateAuthenticationConfiguration(authenticationcel.NewDefaultCompiler(), c, nil).ToAggregate()
}

func TestKubernetesTakesTokens(t *testing.T) {
	c, err := readKubernetes(block(t, "authentication.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.JWT) != 1 || c.JWT[0].Issuer.URL != "https://auth.example.com" || len(c.JWT[0].ClaimValidationRules) != 2 {
		t.Errorf("%+v", c.JWT)
	}
}

// TestKubernetesReaderSeesMistakes: in names, in rules and in expressions.
func TestKubernetesReaderSeesMistakes(t *testing.T) {
	good := block(t, "authentication.yaml")
	for _, c := range [][2]string{
		{"audiences:", "audience:"},
		{"url: https://", "url: http://"},
		{"<= 900", "<= "},
		{"!user.username", "!user.name"},
		{"claims.client_id", "client_id"},
	} {
		bad := bytes.Replace(good, []byte(c[0]), []byte(c[1]), 1)
		if bytes.Equal(bad, good) {
			t.Errorf("%q is not in the block", c[0])
		} else if _, err := readKubernetes(bad); err == nil {
			t.Errorf("%s: no mistake was seen", c[1])
		}
	}
}
