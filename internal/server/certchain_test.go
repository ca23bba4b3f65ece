package server

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"testing"
	"time"
)

// TestChainOfOneName: certificates with one name and key are not tried in every
// order: a request of a few octets would cost a hundred signatures.
func TestChainOfOneName(t *testing.T) {
	root := newAuthority(t, "root", nil)
	own := newAuthority(t, "P-521", nil)
	var many []*x509.Certificate
	for i := range 7 { // the same name and key, seven times
		many = append(many, certify(t, "P-521", x509.Certificate{
			Subject: pkix.Name{CommonName: "P-521"}, IsCA: true, BasicConstraintsValid: true, DNSNames: []string{string(rune('a' + i))},
		}, own))
	}
	leaf := certify(t, "P-256", ours(), own)
	p := presentedChain{leaf, many, root.pool()}
	if next := p.named(leaf.RawIssuer, nil); next != many[0] {
		t.Error("the first of the name does not count")
	}
	if p.named(leaf.RawIssuer, [][]byte{many[0].RawSubject}) != nil {
		t.Error("a second of the same name counts")
	}
	if err := p.verify(start); err == nil {
		t.Error("a chain to nowhere is good")
	}
}

// TestVerdictsAreRemembered: many requests on a connection cost one verification,
// whatever came of it; other roots and later times are looked at anew.
func TestVerdictsAreRemembered(t *testing.T) {
	root, other := newAuthority(t, "root", nil), newAuthority(t, "other", nil)
	leaf := certify(t, "P-256", ours(), root)
	v := newChains()
	good := presentedChain{leaf, nil, root.pool()}
	for range 3 {
		if err := v.verify(good, start); err != nil || len(v.known) != 1 {
			t.Fatalf("%v, %d verdicts", err, len(v.known))
		}
	}
	key := good.key()
	marked := errors.New("remembered")
	v.known[key] = verdict{good.roots, v.known[key].until, marked}
	if err := v.verify(good, start.Add(verdictLife-1)); !errors.Is(err, marked) {
		t.Errorf("within its life: %v", err)
	}
	if err := v.verify(good, start.Add(verdictLife)); err != nil {
		t.Errorf("after its life: %v", err)
	}
	if err := v.verify(presentedChain{leaf, nil, other.pool()}, start.Add(verdictLife)); err == nil {
		t.Error("the verdict holds for other roots")
	}
	late := leaf.NotAfter.Add(time.Second)
	for range 2 {
		if err := v.verify(good, late); err == nil {
			t.Error("an expired certificate is good")
		}
	}
	if known, ok := v.find(key, good.roots, late.Add(time.Second)); !ok || known.err == nil {
		t.Error("that it has expired is not remembered")
	}
	for i := range maxVerdicts + 5 {
		v.known[[32]byte{byte(i), byte(i >> 8), 1}] = verdict{}
		if len(v.known) > maxVerdicts {
			break
		}
	}
	if err := v.verify(presentedChain{leaf, nil, newAuthority(t, "third", nil).pool()}, start); err == nil || len(v.known) > maxVerdicts+1 {
		t.Errorf("%v, %d verdicts", err, len(v.known))
	}
}
