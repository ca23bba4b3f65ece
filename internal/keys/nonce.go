package keys

// NonceKey is the key of the nonces in DPoP proofs (RFC 9449 §8). It follows from
// the master key, so that all nodes of a server accept each other's.
func (m *Master) NonceKey() [32]byte { return [32]byte(m.derive("dpop nonce", 32)) }
