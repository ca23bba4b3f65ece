package keys

import "testing"

func TestNonceKey(t *testing.T) {
	a, b := load(t, MasterConfig{Dir: t.TempDir(), MayCreate: true}), load(t, MasterConfig{Dir: t.TempDir(), MayCreate: true})
	if first, again := a.NonceKey(), a.NonceKey(); first != again {
		t.Error("the nodes of one server do not accept each other's nonces")
	}
	if a.NonceKey() == b.NonceKey() {
		t.Error("another server's nonces are accepted")
	}
	if key := a.NonceKey(); string(key[:]) == string(a.derive("seal: ", 32)) || key == a.secret {
		t.Error("the key is used for something else too")
	}
}
