// Package replica is a node's complete copy of the store, from which it issues
// alone: a snapshot of everything but the clients in memory, and the clients
// one by one from the local file through a cache.
//
// One rule holds all of it together: a token never claims a position whose
// changes its issuer did not see. A request reads the snapshot, and with it the
// position that its token will claim, before anything else. A commit is applied
// to the file first, then the cached clients that it wrote are dropped, and
// only then is the snapshot published with the commit's position. A client that
// is loaded while that goes on is not cached.
package replica
