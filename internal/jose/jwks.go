package jose

import "fmt"

// MaxKeySet is the length of the longest key set that is parsed, in bytes.
const MaxKeySet = 1 << 20

// KeySet is a JWK set (RFC 7517 §5): the keys that can be used, and why others cannot.
type KeySet struct {
	Keys    []*Key
	Skipped []SkippedKey
}

// SkippedKey is a key of a set that is not used.
type SkippedKey struct {
	Index  int    // in the set's keys, from 0
	ID     string // its kid, if it could be read; foreign text
	Reason error  // as from [ParseKey], or [ErrDuplicateKey]
}

// ParseKeySet reads a JWK set. RFC 7517 §5: a key of an unknown type, for another use, weak
// or malformed does not spoil the set, it is skipped with its reason. Keys with the same kid
// are all skipped ([ErrDuplicateKey]), since which of them is meant cannot be known; of the
// same key with the same alg listed twice the first is kept. What is not one JSON object
// with exactly one array keys is an error; a set without usable keys is not.
func ParseKeySet(data []byte) (*KeySet, error) {
	if len(data) > MaxKeySet {
		return nil, ErrTooLong
	}
	set := &KeySet{Keys: []*Key{}}
	found := false
	// Only the outermost names are compared here: a key that names a member twice is one
	// unusable key.
	s := scanner{shallow: true}
	err := s.run(data, func(name, value []byte) error {
		if string(name) != "keys" {
			return nil
		}
		if value[0] != '[' {
			return errNoKeys
		}
		found = true
		return set.parse(value)
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errNoKeys
	}
	return set, nil
}

var errNoKeys = fmt.Errorf("%w: a key set has a member keys that is an array", ErrKey)

// parse reads the array keys.
func (s *KeySet) parse(array []byte) error {
	var places []int // of Keys in the array
	index := 0
	scan := scanner{data: array, shallow: true}
	err := scan.array(2, func(element []byte) error {
		k, err := ParseKey(element)
		if err != nil {
			s.Skipped = append(s.Skipped, SkippedKey{Index: index, ID: keyID(element), Reason: err})
		} else {
			s.Keys = append(s.Keys, k)
			places = append(places, index)
		}
		index++
		return nil
	})
	if err == nil {
		s.dropAmbiguous(places)
	}
	return err
}

// keyID returns the kid of a JWK that could not be used.
func keyID(jwk []byte) string {
	var id string
	s := scanner{shallow: true}
	_ = s.run(jwk, func(name, value []byte) error {
		if string(name) == "kid" {
			text, _ := unquote(value)
			id = string(text)
		}
		return nil
	})
	return id
}

// dropAmbiguous moves keys whose kid another one has to Skipped.
func (s *KeySet) dropAmbiguous(places []int) {
	type group struct {
		first     *Key
		ambiguous bool
	}
	groups := make(map[string]*group, len(s.Keys))
	for _, k := range s.Keys {
		g := groups[k.ID]
		if g == nil {
			groups[k.ID] = &group{first: k}
		} else if k.Algorithm != g.first.Algorithm || k.Thumbprint() != g.first.Thumbprint() {
			g.ambiguous = k.ID != "" // keys without kid are never looked up by it
		}
	}
	kept := s.Keys[:0]
	for i, k := range s.Keys {
		g := groups[k.ID]
		if k.ID == "" || !g.ambiguous && g.first == k {
			kept = append(kept, k)
			continue
		}
		s.Skipped = append(s.Skipped, SkippedKey{Index: places[i], ID: k.ID, Reason: ErrDuplicateKey})
	}
	clear(s.Keys[len(kept):])
	s.Keys = kept
}

// Lookup returns the key with this kid, or nil: also when kid is "", when the set is nil, and
// when a set that was put together by hand has two of them. kid may be a sender's text; it
// is compared and not used for anything else.
func (s *KeySet) Lookup(kid string) *Key {
	if s == nil {
		return nil
	}
	var found *Key
	for _, k := range s.Keys {
		if kid == "" || k.ID != kid {
			continue
		}
		if found != nil {
			return nil
		}
		found = k
	}
	return found
}

// JSON returns the set with its usable keys in their order, each as [Key.JSON].
func (s *KeySet) JSON() []byte {
	out := []byte(`{"keys":[`)
	for i, k := range s.Keys {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, k.JSON()...)
	}
	return append(out, "]}"...)
}
