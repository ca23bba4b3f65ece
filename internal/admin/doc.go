// Package admin holds every administrative operation once: (ctx, actor, typed
// request) → (result, seq, error). An operation authorises its actor, writes
// its change and the record of that change in one transaction, and returns
// when the node's own replica has applied the commit, so that the next request
// on this node sees it.
//
// The command line, the admin API, the declarative file and the schedule of
// signing keys are callers of it; none of them writes to the store by itself.
package admin
