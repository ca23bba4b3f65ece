package admin

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"time"

	"github.com/symbolon/symbolon/internal/audit"
	"github.com/symbolon/symbolon/internal/store"
)

// ChangeRecord is the evidence of one object's change.
type ChangeRecord struct {
	ID        string        `json:"id"`
	Time      time.Time     `json:"time"`
	Node      string        `json:"node"`
	Class     string        `json:"class" doc:"change, refusal or system"`
	Actor     string        `json:"actor"`
	Action    string        `json:"action"`
	Kind      string        `json:"kind"`
	Object    string        `json:"object"`
	RequestID string        `json:"request_id"`
	Commit    int64         `json:"commit"`
	Via       string        `json:"via"`
	Set       string        `json:"set,omitempty"`
	Why       string        `json:"why,omitempty"`
	Fields    []FieldChange `json:"fields,omitempty"`
	Denials   []DenialRef   `json:"denials,omitempty"`
}

// DenialRef names a denial that a change caused.
type DenialRef struct {
	ID string `json:"id"`
	N  int64  `json:"n,omitempty"`
}

// ChangeQuery selects records of changes; empty members select everything.
type ChangeQuery struct {
	Actor, Action, Kind, Object, RequestID string
	Since, Until                           time.Time
	Before                                 string // ID of the last one of the page before
	Limit                                  int    // default 100, at most 1000
}

// Changes lists records of changes, newest first, from the store. The action
// "admin.refused" gives the peers that were turned away.
func (a *Admin) Changes(ctx context.Context, actor Actor, q ChangeQuery) ([]ChangeRecord, error) {
	if err := actor.May(AuditRead); err != nil {
		return nil, err
	}
	sq := store.RecordQuery{Actor: q.Actor, Action: q.Action, ObjectKind: q.Kind, ObjectID: q.Object,
		RequestID: q.RequestID, Before: q.Before, Limit: q.Limit}
	if !q.Since.IsZero() {
		sq.From = q.Since.UnixMicro()
	}
	if !q.Until.IsZero() {
		sq.To = q.Until.UnixMicro()
	}
	if q.RequestID == "" && q.Action != peerRefused {
		sq.Class = store.ClassChange
	}
	if !store.Storable(q.Actor + q.Action + q.Kind + q.Object + q.RequestID + q.Before) {
		return []ChangeRecord{}, nil // no record has such a text
	}
	rows, err := a.Store.Records(ctx, sq)
	if err != nil {
		return nil, fromStore(err)
	}
	out := []ChangeRecord{}
	for _, r := range rows {
		// The copy of a refusal is of a request, not of a change: Explain shows it.
		if r.Class != store.ClassRefusal || r.Action == peerRefused {
			out = append(out, showChange(r))
		}
	}
	return out, nil
}

func showChange(r store.Record) ChangeRecord {
	out := ChangeRecord{ID: r.ID, Time: time.UnixMicro(r.Time).UTC(), Node: r.Node, Class: r.Class, Actor: r.Actor,
		Action: r.Action, Kind: r.ObjectKind, Object: r.ObjectID, RequestID: r.RequestID, Commit: r.Seq}
	var e evidence
	if json.Unmarshal(r.Doc, &e) == nil {
		out.Via, out.Set, out.Why, out.Fields, out.Denials = e.Via, e.Set, e.Why, e.Fields, e.Denials
	}
	return out
}

// Requests searches this node's records of requests, newest first.
func (a *Admin) Requests(ctx context.Context, actor Actor, q audit.Query) ([]*audit.Record, error) {
	if err := actor.May(AuditRead); err != nil {
		return nil, err
	}
	if a.SpoolDir == "" {
		return []*audit.Record{}, nil
	}
	found, err := audit.Search(ctx, a.SpoolDir, q)
	if err != nil {
		return nil, err
	}
	if found == nil {
		found = []*audit.Record{}
	}
	return found, nil
}

// Verification is what a check of the evidence found.
type Verification struct {
	OK      bool          `json:"ok"`
	Spool   *audit.Report `json:"spool,omitempty" doc:"The records of requests on this node"`
	Changes int64         `json:"changes" doc:"Good records of the store's own chain: changes, and peers that were turned away"`
	Damage  string        `json:"damage,omitempty" doc:"What is wrong with the store's own chain"`
	Anchors bool          `json:"anchors" doc:"Whether the store was there to tell an end of the records of requests that was cut off or written anew"`
}

// Verify reads this node's records of requests and the store's own chain, and names
// what was altered, deleted, reordered or cut off. It does not look at the copies
// of refusals in the store: what they copy is in the spool of the node that wrote
// it, and is verified there.
func (a *Admin) Verify(ctx context.Context, actor Actor) (Verification, error) {
	if err := actor.May(AuditRead); err != nil {
		return Verification{}, err
	}
	return verify(ctx, a.Store, a.SpoolDir, a.Node)
}

// VerifyOffline is Verify on the files of a server that is stopped. An empty
// dsn checks the spool alone, without anchors.
func VerifyOffline(ctx context.Context, spoolDir, node, dsn string) (Verification, error) {
	if dsn == "" {
		return verify(ctx, nil, spoolDir, node)
	}
	s, err := store.Open(ctx, store.Config{DSN: dsn, PoolSize: 1})
	if err != nil {
		return Verification{}, err
	}
	v, err := verify(ctx, s, spoolDir, node)
	return v, errors.Join(err, s.Close())
}

// DatabaseIn is the store of a data directory whose server uses the default.
func DatabaseIn(dataDir string) string { return "sqlite:" + filepath.Join(dataDir, "symbolon.db") }

func verify(ctx context.Context, s *store.Store, spoolDir, node string) (v Verification, err error) {
	v.OK = true
	var anchors audit.Anchors
	if s != nil {
		v.Anchors = true
		if v.Changes, err = s.VerifyRecords(ctx); errors.Is(err, store.ErrCorrupt) {
			v.OK, v.Damage = false, err.Error()
		} else if err != nil {
			return v, fromStore(err)
		}
		if anchors, err = audit.LoadAnchors(ctx, s, node); err != nil {
			return v, fromStore(err)
		}
	}
	if spoolDir == "" {
		return v, nil
	}
	if v.Spool, err = audit.Verify(ctx, spoolDir, anchors); err != nil {
		return v, err
	}
	v.OK = v.OK && v.Spool.OK()
	return v, nil
}

// peerRefused is the action of a peer that was turned away.
const peerRefused = "admin.refused"

// RecordRefusedPeer records that somebody was turned away before there was an
// operation to speak of.
func (a *Admin) RecordRefusedPeer(ctx context.Context, actor, reason, requestID string) error {
	doc, err := json.Marshal(evidence{Via: "socket", Why: reason})
	if err != nil {
		return err
	}
	return a.Store.AppendRecords(ctx, []store.Record{{
		Node: a.Node, Class: store.ClassRefusal, Actor: actor, Action: peerRefused, RequestID: requestID, Doc: doc,
	}})
}
