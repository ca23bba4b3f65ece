package audit

import (
	"net/netip"
	"time"

	"github.com/symbolon/symbolon"
)

// Outcomes of a request.
const (
	Issued   = "issued"   // a token left
	Answered = "answered" // a question about a token was answered, or a token revoked
	Refused  = "refused"  // the request was at fault: Code is what the answer said
	Failed   = "error"    // the server was at fault
	Notice   = "notice"   // not a request: the spool says something about itself
)

// Bounds of a record. A value that is longer is cut, and ends in "…" and the
// number of octets left out, as "…[4096 more]". None of the character sets of
// RFC 6749 Appendix A holds "…", so a cut client_id is never taken for a whole one.
const (
	MaxRecord = 8 << 10 // octets of a line
	MaxChecks = 32
	MaxAPIs   = 8
)

// Record is the evidence of one request: who asked for what, what came of it and
// which checks led there.
//
// There is deliberately no field for a secret, a token, an assertion or a proof,
// nor for the request's headers or body. Reason and the checks are written by
// the server and must not quote any of those. A generated secret that somebody
// sent as something else (as a client_id, say) is taken out when the record is
// written (registry.Redact).
type Record struct {
	Time      time.Time        `json:"time"` // when the request was decided; to the microsecond, UTC. Zero: Append takes the clock
	Outcome   string           `json:"outcome"`
	Issuer    string           `json:"issuer,omitempty"`
	Client    string           `json:"client,omitempty"`   // as the request named it: anybody's text until Verified
	Verified  bool             `json:"verified,omitempty"` // the client proved who it is
	Cred      string           `json:"cred,omitempty"`     // id of the credential that proved it
	APIs      []string         `json:"apis,omitempty"`     // ids of the APIs decided on, never a value of the request
	Count     int64            `json:"count,omitempty"`    // a summary: the number of requests it stands for; 0 is 1
	Code      string           `json:"code,omitempty"`     // the error code of the answer
	Reason    string           `json:"reason,omitempty"`   // the cause, for operators only
	RequestID string           `json:"request_id,omitempty"`
	Endpoint  string           `json:"endpoint,omitempty"` // "token"; "spool" for what the spool says about itself
	Method    string           `json:"method,omitempty"`   // of client authentication, as "client_secret_basic"
	Scope     string           `json:"scope,omitempty"`    // granted, or asked for when refused
	JTI       string           `json:"jti,omitempty"`
	KID       string           `json:"kid,omitempty"`
	Gen       int64            `json:"gen,omitempty"`
	Exp       int64            `json:"exp,omitempty"`       // expiry of the token, seconds since 1970
	Peer      netip.Addr       `json:"peer,omitzero"`       // the client's address, as the trusted proxies tell it
	Presented []Presented      `json:"presented,omitempty"` // what the token consumed: its replay is refused until then, also after a restart
	Micros    int64            `json:"micros,omitempty"`    // time taken so far, microseconds
	Checks    []symbolon.Check `json:"checks,omitempty"`    // in the order in which they were made
	Dropped   int64            `json:"dropped,omitempty"`   // checks left out to stay within MaxRecord

	Node string `json:"node,omitempty"` // set by Append: the node that wrote it
	N    int64  `json:"n,omitempty"`    // set by Append: its number in the spool, without gaps
	Hash string `json:"hash,omitempty"` // set by Append: the chain
}
