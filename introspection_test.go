package symbolon_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/symbolon/symbolon"
)

func TestIntrospectionRoundTrip(t *testing.T) {
	for _, a := range []symbolon.IntrospectionAnswer{
		{},
		{Active: true, TokenType: symbolon.TokenTypeDPoP, Claims: symbolon.Claims{
			Issuer: "https://auth.example.com", Subject: "billing", Audience: []string{"https://orders.example.com"},
			Expiry: 9, IssuedAt: 5, ID: "x", ClientID: "billing", Scope: "a b", Gen: 7, Cred: "s1",
			Confirmation: &symbolon.Confirmation{JKT: "k"}, Extra: map[string]json.RawMessage{"role": json.RawMessage(`"batch"`)},
		}},
	} {
		text := a.AppendJSON(nil)
		got, err := symbolon.ParseIntrospection(text)
		if err != nil || !json.Valid(text) || !reflect.DeepEqual(*got, a) {
			t.Errorf("%v\n%s\n%+v", err, text, got)
		}
	}
	if text := (&symbolon.IntrospectionAnswer{Claims: symbolon.Claims{ID: "x"}}).AppendJSON(nil); string(text) != `{"active":false}` {
		t.Errorf("RFC 7662 §2.2: an inactive token tells more: %s", text)
	}
}

func TestIntrospectionMalformed(t *testing.T) {
	for _, text := range []string{``, `[]`, `{}`, `{"active":"true"}`, `{"active":1}`, `{"active":true,"token_type":7}`, `{"active":true,"exp":"soon"}`, `{"active":true}x`} {
		if got, err := symbolon.ParseIntrospection([]byte(text)); err == nil {
			t.Errorf("%s: taken as %+v", text, got)
		}
	}
	if got, err := symbolon.ParseIntrospection([]byte(`{"active":false,"client_id":"billing"}`)); err != nil || got.Active || got.Claims.ClientID != "" {
		t.Errorf("%+v, %v", got, err)
	}
}
