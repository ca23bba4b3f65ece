package admin

import (
	"context"
	"time"

	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/store"
)

// What one row of usage covers.
const (
	ByHour  = "hour"
	ByDay   = "day" // in UTC
	ByTotal = "total"
)

const (
	usagePeriod  = 30 * 24 * time.Hour // when a query names no beginning
	maxUsageRows = 10_000
)

// UsageQuery asks how often a client was given tokens, or refused. Hours are
// counted as a whole: From is taken back to the beginning of its hour, To on to the
// end of its own.
type UsageQuery struct {
	Client   string
	From, To time.Time // default: the last 30 days; until now
	By       string    // ByHour, ByDay (default) or ByTotal
}

// Usage is how often a client was given tokens, or refused after it had proved who
// it is. What others said in its name is not in it.
type Usage struct {
	Client string        `json:"client"`
	From   time.Time     `json:"from"`
	To     time.Time     `json:"to"`
	By     string        `json:"by" doc:"What one row covers: hour, day (in UTC) or total"`
	Rows   []UsageRow    `json:"rows"`
	Nodes  []CountedNode `json:"nodes" doc:"Up to when each node's requests are counted"`
}

// UsageRow counts requests with the same outcome. A token for several APIs counts
// at each of them.
type UsageRow struct {
	Time       time.Time `json:"time,omitzero" doc:"When the hour or day begins; absent in a total"`
	Issuer     string    `json:"issuer"`
	Credential string    `json:"credential"`
	API        string    `json:"api" doc:"Empty when the request was refused before its API was known"`
	Outcome    string    `json:"outcome" doc:"issued, answered (a question about a token, or a revocation), refused or error"`
	Count      int64     `json:"count"`
}

// CountedNode says up to when a node's requests are counted: this node's all, those
// of others up to some seconds ago while they reach the store.
type CountedNode struct {
	Node    string    `json:"node"`
	Counted time.Time `json:"counted,omitzero" doc:"What it answered before is counted; absent when nothing is"`
}

// Usage adds up what the nodes have counted. It is there for deleted clients too,
// as long as audit.keep says.
func (a *Admin) Usage(ctx context.Context, actor Actor, q UsageQuery) (Usage, error) {
	if err := actor.May(AuditRead); err != nil {
		return Usage{}, err
	}
	out, sq, err := q.resolve(a.now())
	if err != nil {
		return Usage{}, err
	}
	if !possibleID(registry.KindClient, q.Client) {
		return Usage{}, notFound(registry.KindClient, q.Client)
	}
	a.countNow(ctx)
	// What a node counts between these two is told as not counted yet.
	if out.Nodes, err = a.countedNodes(ctx); err != nil {
		return Usage{}, err
	}
	rows, err := a.Store.Usage(ctx, sq)
	if err != nil {
		return Usage{}, fromStore(err)
	}
	if len(rows) > maxUsageRows {
		return Usage{}, invalid("ask for a shorter time, or add up by day or in total", "there are more than %d rows", maxUsageRows)
	}
	if len(rows) == 0 {
		if _, _, err := read[registry.Client](ctx, a, actor, registry.KindClient, q.Client); err != nil {
			return Usage{}, err
		}
	}
	for _, r := range rows {
		row := UsageRow{Issuer: r.Issuer, Credential: r.Credential, API: r.API, Outcome: r.Outcome, Count: r.Count}
		if !sq.Sum {
			row.Time = hourTime(r.Hour)
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

// countWait bounds how long a question waits for what this node has not counted
// yet: some milliseconds, or longer after the store was away.
const countWait = 2 * time.Second

// countNow lets what this node has answered be counted before the counts are read.
// Where that cannot be, the counts tell what they know.
func (a *Admin) countNow(ctx context.Context) {
	if a.Counter == nil {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, countWait)
	defer cancel()
	if err := a.Counter.Await(bounded); err != nil && ctx.Err() == nil {
		a.Logger.Warn("usage and last use are told without this node's newest requests", "error", err)
	}
}

// resolve fills in what the query leaves open.
func (q UsageQuery) resolve(now time.Time) (Usage, store.UsageQuery, error) {
	if q.To.IsZero() {
		q.To = now
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-usagePeriod)
	}
	sq := store.UsageQuery{Client: q.Client, From: q.From.Unix() / 3600, To: q.To.Add(time.Hour-1).Unix() / 3600, Limit: maxUsageRows + 1}
	switch q.By {
	case "", ByDay:
		q.By, sq.Step = ByDay, 24
	case ByHour:
	case ByTotal:
		sq.Sum = true
	default:
		return Usage{}, sq, invalid("write hour, day or total", "usage is not added up by %q", q.By)
	}
	if q.Client == "" || q.From.Unix() < 0 || sq.From >= sq.To {
		return Usage{}, sq, invalid("name a client, and a time that begins before it ends", "there is nothing to count")
	}
	return Usage{Client: q.Client, From: hourTime(sq.From), To: hourTime(sq.To), By: q.By, Rows: []UsageRow{}}, sq, nil
}

func hourTime(hour int64) time.Time { return time.Unix(hour*3600, 0).UTC() }

func (a *Admin) countedNodes(ctx context.Context) ([]CountedNode, error) {
	nodes, err := a.Store.Nodes(ctx)
	if err != nil {
		return nil, fromStore(err)
	}
	out := []CountedNode{}
	for _, n := range nodes {
		c := CountedNode{Node: n.ID}
		if n.Counted != 0 {
			c.Counted = time.UnixMicro(n.Counted).UTC()
		}
		out = append(out, c)
	}
	return out, nil
}
