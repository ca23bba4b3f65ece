package keys

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestSealOpensOnlyWhereItBelongs(t *testing.T) {
	m := NewMaster()
	plain := []byte("the plain text")
	sealed := m.Seal("one", []byte("place"), plain)
	if bytes.Contains(sealed, plain) {
		t.Fatal("sealed value shows its content")
	}
	if got, err := m.Open("one", []byte("place"), sealed); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("open = %q, %v", got, err)
	}
	if bytes.Equal(sealed, m.Seal("one", []byte("place"), plain)) {
		t.Error("sealed twice the same: the nonce is not random")
	}
	if _, err := m.Open("two", []byte("place"), sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("under another label: %v", err)
	}
	if _, err := m.Open("one", []byte("elsewhere"), sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("in another place: %v", err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := m.Open("one", []byte("place"), bad); err == nil {
			t.Fatalf("byte %d changed, and it opened", i)
		}
		if _, err := m.Open("one", []byte("place"), sealed[:i]); err == nil {
			t.Fatalf("cut to %d bytes, and it opened", i)
		}
	}
	if _, err := m.Open("one", nil, m.Seal("one", nil, make([]byte, MaxSealed))); !errors.Is(err, ErrSealed) {
		t.Errorf("over-long: %v", err)
	}
}

func TestSealedUnderAnotherMasterNamesIt(t *testing.T) {
	m, other := NewMaster(), NewMaster()
	sealed := other.Seal("one", nil, []byte("x"))
	if id, ok := SealedBy(sealed); !ok || id != other.ID() {
		t.Errorf("SealedBy = %q, %v, want %q", id, ok, other.ID())
	}
	_, err := m.Open("one", nil, sealed)
	if !errors.Is(err, ErrOtherMaster) {
		t.Fatalf("error: %v", err)
	}
	for _, want := range []string{other.ID(), m.ID(), FileName, EnvName} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %q: %v", want, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	m := NewMaster()
	f.Add(m.Seal("one", []byte("place"), []byte("plain")))
	f.Add([]byte{sealVersion})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		plain, err := m.Open("one", []byte("place"), sealed)
		if err == nil && string(plain) != "plain" {
			t.Fatalf("opened what nobody sealed: %q", plain)
		}
	})
}
