// Package audit keeps the evidence: one record for each request, appended to
// the node's spool before the answer leaves, and everything that is read out of
// it again (usage, last use of credentials, explain, search, verify).
//
// # The spool
//
// The spool is a folder of segments, files named by a rising number
// (0000000001.jsonl). A segment is preallocated, so what follows its last line
// is NUL octets, and a disk that fills up stops nothing before the reserve of
// empty segments is used up too. Each line is one JSON object. The first line of
// a segment is its header; the others are records.
//
// # The chain
//
// The last member of each line is its hash:
//
//	hash = base64url(SHA-256(hash of the line before, 32 octets ‖ the line up to `,"hash":"`))
//
// The header is part of the chain, and names the hash of the last line of the
// segment before. So a line that was altered, inserted, removed or moved is
// found by reading alone. A tail that was cut off is found by the anchors, which
// stand in the store: the hashes of closed segments (a segment is closed daily at
// the latest), and the position up to which the folds were flushed, with the hash
// of the line that ends there. So of the newest segment what was appended since
// the last flush, some seconds ago, may be written anew unnoticed. Who can write
// both the spool and the store can forge both.
//
// # What is never in it
//
// Secrets, tokens, assertions and proofs have no field in Record. What callers
// put into Reason and into checks is meant for operators and must not contain
// any of them. A generated secret in any other text, sent there by mistake, is
// taken out.
package audit
