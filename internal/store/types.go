package store

// Object is one versioned document. Kind and ID name it, Doc is opaque here.
type Object struct {
	Kind, ID string
	Seq      int64 // number of the commit that wrote it last
	Version  int64 // counts the writes of this object, from 1; a delete is a write
	Deleted  bool  // a tombstone: Doc is empty
	Keep     bool  // the tombstone is never purged
	Doc      []byte
}

// Attr is one searchable property of an object. The attribute "name" is also
// found by substring (Query.Search).
type Attr struct{ Name, Value string }

// AttrName is the attribute that Query.Search looks into, besides the id.
const AttrName = "name"

// Position is a place in the total order of commits. Seq 0 is the one before
// every commit; epochs count from 1.
type Position struct {
	Seq, Epoch int64
	CommitID   string
}

// IsZero reports whether p is the place before every commit.
func (p Position) IsZero() bool { return p.Seq == 0 }

// Put is one write of a live object.
type Put struct {
	Kind, ID string
	Version  int64 // the version that is replaced; 0: the object must not exist or be a tombstone
	Doc      []byte
	Attrs    []Attr // all of them: they replace what was there
}

// Change is one whole commit as a follower gets it: the objects whose latest
// state this commit wrote. Objects that a later commit wrote again are missing
// here and come with that one.
type Change struct {
	Position
	// Settled says that a copy with this change applied equals the store at
	// Position. While a follower catches up (Settled is false) its copy is a
	// mixture: what a later commit overwrote is still old in it, although
	// Position is already past the first of the two writes. It must not claim
	// Position as the gen of a token before it has applied a settled change.
	Settled bool
	Objects []ChangedObject
}

// ChangedObject is an object with its attributes (none when deleted).
type ChangedObject struct {
	Object
	Attrs []Attr
}

// Classes of a record.
const (
	ClassChange  = "change"
	ClassRefusal = "refusal"
	ClassSystem  = "system"
)

// Record is one row of evidence. The rows that the store alone has (Tx.Record,
// AppendRecords) form one hash chain per store, in the order in which they were
// written; copies of what stands in a spool (CopyRecords) are beside it.
type Record struct {
	ID                   string // unique and ordered by time; made when empty, but in a copy
	Time                 int64  // unix microseconds; now when zero, but in a copy
	Node, Class          string // Class: "change", "refusal" or "system"
	Actor, Action        string
	ObjectKind, ObjectID string
	RequestID            string
	Seq                  int64 // Tx.Record: the commit's own when zero
	Doc                  []byte
	Hash                 []byte // SHA-256(hash of the row before ‖ this row), set by the store; empty in a copy
}

// RecordQuery selects records, newest first; empty members select everything.
type RecordQuery struct {
	Node, Class, Actor, Action      string
	ObjectKind, ObjectID, RequestID string
	From, To                        int64  // unix microseconds, From ≤ Time < To; To 0: no end
	Before                          string // only records with a smaller ID: the last ID of the page before
	Limit                           int    // default 100, at most 1000
}

// Query selects objects of one kind, ordered by id.
type Query struct {
	Kind    string
	Attrs   []Attr // all of them must match
	Within  []Attr // of one name: nothing that has another value of it than these; empty: no bound
	Search  string // substring of the attribute "name" or of the id, any case; finds objects that have a name
	After   string // ids after this one: what List returned as next
	Limit   int    // default 100, at most 1000
	Deleted bool   // the tombstones instead of the live objects
}

// SpoolPosition is a place in a node's spool: everything before it is flushed.
type SpoolPosition struct {
	Segment, Offset int64
	Hash            [32]byte // of the line that ends there; zero: not known
}

// Node is a running server as the others see it.
type Node struct {
	ID, Version               string
	Position                        // how far it follows
	LastSeen                  int64 // unix microseconds
	SpoolSegment, SpoolOffset int64 // flushed up to; only FlushUsage moves these
	Counted                   int64 // unix microseconds: what it answered before is in usage; 0: nothing is
}

// UsageRow counts the requests of one hour with the same outcome.
type UsageRow struct {
	Hour                                     int64 // unix hours
	Issuer, Client, Credential, API, Outcome string
	Count                                    int64
}

// UsageQuery selects usage rows, ordered by hour; empty members select everything.
type UsageQuery struct {
	From, To                                 int64 // unix hours, From ≤ Hour < To; To 0: no end
	Issuer, Client, Credential, API, Outcome string
	Step                                     int64 // hours that one row covers, counted from 1970 (24: days in UTC), Hour is their first; 0: 1
	Sum                                      bool  // one row per issuer, client, credential, API and outcome over the whole time; Hour is 0
	Limit                                    int   // default 1000, at most 100000
}

// LastUsed says when a credential was last used successfully.
type LastUsed struct {
	Client, Credential string
	At                 int64 // unix microseconds
	RequestID          string
}

// Segment is a closed segment of a node's spool: the anchor of its chain.
type Segment struct {
	Node                string
	Number              int64
	FirstHash, LastHash []byte
	Records, From, To   int64 // number of records; unix microseconds of the first and the last
}
