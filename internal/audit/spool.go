package audit

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"
)

// What to do when there is no room for another record.
const (
	OnFullRefuse = "refuse" // Append gives ErrFull: no token without its record
	OnFullIssue  = "issue"  // Append counts the record as lost and gives nil
)

// Errors of the spool.
var (
	// ErrFull: the disk is full and the reserve is used up. It passes by itself
	// within a second of space being there again.
	ErrFull = errors.New("audit: no room for another record: free space on the disk of the spool")
	// ErrClock: the clock is earlier than the newest record.
	ErrClock = errors.New("audit: the clock is earlier than the newest record")
	// ErrClosed: Append after Close.
	ErrClosed = errors.New("audit: the spool is closed")
)

// SpoolConfig says where and how records are kept.
type SpoolConfig struct {
	Dir          string           // made if missing (0700)
	Node         string           // id of the node, in every record
	Sync         bool             // Append returns after an fsync, which concurrent appends share
	OnFull       string           // OnFullRefuse (default) or OnFullIssue
	SegmentBytes int64            // size of a segment; 0: 16 MiB
	Reserve      int              // empty segments kept ready for a full disk; 0: 3
	Now          func() time.Time // nil: time.Now
	Logger       *slog.Logger     // nil: slog.Default()
}

// Position is a place in a spool: the end of a line. The zero value is the
// beginning.
type Position struct {
	Segment int64    // number of the segment
	Offset  int64    // octets into its file
	N       int64    // number of the last record before it
	Hash    [32]byte // of the line that ends there
}

// Spool appends records. Its methods may be called from any goroutine.
type Spool struct {
	cfg SpoolConfig
}

// OpenSpool opens the spool, or begins one, and takes up the chain where it ended.
func OpenSpool(cfg SpoolConfig) (*Spool, error) { return nil, errors.ErrUnsupported }

// Append writes the record. When it returns nil, the record survives a kill of the
// process, and with Sync a loss of power. It does not keep r or change it.
func (s *Spool) Append(r *Record) error { return errors.ErrUnsupported }

// AppendRefusal is Append for a refusal of a client that did not prove who it
// is. They are capped per network and code, because anybody can cause them:
// what exceeds the cap is counted, and told by one summary record a minute.
// network is the one of the peer, see Network.
func (s *Spool) AppendRefusal(r *Record, network netip.Prefix) error { return errors.ErrUnsupported }

// Network is the network that a peer's refusals are counted under.
func Network(peer netip.Addr) netip.Prefix { return netip.Prefix{} }

// Position is the end of the newest record.
func (s *Spool) Position() Position { return Position{} }

// Close writes what is still to be told, and stops. It leaves the segment as it
// is: the next OpenSpool goes on in it.
func (s *Spool) Close() error { return nil }
