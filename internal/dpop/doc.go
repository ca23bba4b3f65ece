// Package dpop makes and checks proofs of possession (RFC 9449) and remembers what was
// presented once.
//
// A [Prover] makes proofs. [Check] reads one by everything that can be seen in it alone;
// its caller compares the key with the token's cnf.jkt, then the nonce ([Nonces]), and last
// of all consumes the proof by its ReplayKey ([Replay]): a request that is refused for
// another reason must consume nothing, or a stranger could use up somebody's proof.
//
// Errors are *symbolon.Error of code invalid_dpop_proof with one fixed sentence per cause;
// what was wrong in detail is their private cause. No error, String or log value contains a
// proof, a token or a nonce.
package dpop
