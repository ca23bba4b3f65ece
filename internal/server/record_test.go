package server

import (
	"bytes"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/symbolon/symbolon/internal/audit"
)

// ignored are the members of a record that its spool sets, or that vary.
var ignored = cmpopts.IgnoreFields(audit.Record{}, "Micros", "N", "Hash", "Node", "Checks", "Dropped")

// TestEachRequestLeavesOneRecord, with what came of it.
func TestEachRequestLeavesOneRecord(t *testing.T) {
	f := newFixture(t)
	peer := netip.MustParseAddr("192.0.2.1") // httptest's
	stamp := start.Truncate(1000).UTC()

	w := f.post("billing", grant+"&scope=orders:read")
	_, claims, token := f.token(w)
	issued := audit.Record{
		Time: stamp, RequestID: w.Header().Get("Request-Id"), Endpoint: "token", Issuer: "default", Peer: peer,
		Outcome: audit.Issued, Client: "billing", Verified: true, Cred: "s1", Method: "client_secret_basic",
		APIs: []string{"orders"}, Scope: "orders:read", JTI: claims.ID, KID: token.Header.KeyID, Gen: claims.Gen, Exp: claims.Expiry,
	}
	w = f.post("billing", grant+"&scope=orders:admin")
	scope := audit.Record{
		Time: stamp, RequestID: w.Header().Get("Request-Id"), Endpoint: "token", Issuer: "default", Peer: peer,
		Outcome: audit.Refused, Client: "billing", Verified: true, Cred: "s1", Method: "client_secret_basic",
		Scope: "orders:admin", Code: "invalid_scope",
	}
	w = f.ask("POST", base+"/partners/token", grant+"&client_id=disabled&client_secret="+secret1)
	client := audit.Record{
		Time: stamp, RequestID: w.Header().Get("Request-Id"), Endpoint: "token", Issuer: "partners", Peer: peer,
		Outcome: audit.Refused, Client: "disabled", Method: "client_secret_post", Code: "invalid_client",
		Reason: "the client may not authenticate at this issuer",
	}
	w = f.ask("GET", base+"/token", "")
	method := audit.Record{
		Time: stamp, RequestID: w.Header().Get("Request-Id"), Endpoint: "token", Issuer: "default", Peer: peer,
		Outcome: audit.Refused, Code: "method_not_allowed", Reason: errAsMethod.Description,
	}
	w = f.ask("POST", base+"/token", grant+"&client_id=billing")
	nothing := audit.Record{
		Time: stamp, RequestID: w.Header().Get("Request-Id"), Endpoint: "token", Issuer: "default", Peer: peer,
		Outcome: audit.Refused, Client: "billing", Code: "invalid_client", Reason: "the request has no client authentication",
	}
	got := f.records()
	if len(got) != 5 {
		t.Fatalf("%d records of 5 requests", len(got))
	}
	if !strings.Contains(got[1].Reason, "orders:admin") {
		t.Errorf("reason %q", got[1].Reason)
	}
	scope.Reason = got[1].Reason
	if diff := cmp.Diff([]audit.Record{issued, scope, client, method, nothing}, got, ignored, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
	for i, want := range []string{"request:true grant type:true client authentication:true client:true api:true scope:true key:true",
		"request:true grant type:true client authentication:true client:true api:true scope:false",
		"request:true grant type:true client authentication:false", "request:false", "client authentication:false"} {
		var steps []string
		for _, c := range got[i].Checks {
			steps = append(steps, c.Name+map[bool]string{true: ":true", false: ":false"}[c.OK])
			if c.Clause == "" || !c.OK && c.Fix == "" {
				t.Errorf("a check without its clause or its way out: %+v", c)
			}
		}
		if s := strings.Join(steps, " "); s != want {
			t.Errorf("record %d: %s", i, s)
		}
	}
}

// TestPublicDocumentsLeaveNoRecord: they are no requests of clients.
func TestPublicDocumentsLeaveNoRecord(t *testing.T) {
	f := newFixture(t)
	f.get(base + "/jwks")
	f.get(base + "/.well-known/oauth-authorization-server")
	f.get(base + "/authorize")
	if n := len(f.records()); n != 0 {
		t.Errorf("%d records", n)
	}
}

// TestNoTokenWithoutItsRecord: when the spool takes nothing, no token leaves,
// and the answer says when to come again.
func TestNoTokenWithoutItsRecord(t *testing.T) {
	f := newFixture(t)
	if err := f.spool.Close(); err != nil {
		t.Fatal(err)
	}
	want := refusedBy(errNoRecord, "Retry-After", "5")
	want.check(t, f.post("billing", grant))
	want.check(t, f.post("billing", grant+"&scope=orders:admin"))
	want.check(t, f.post("nobody", grant))
	if !strings.Contains(f.log.String(), audit.ErrClosed.Error()) {
		t.Errorf("the cause is not in the log:\n%s", &f.log)
	}
}

// TestUnauthenticatedRefusalsAreCapped, and those of authenticated clients are not.
func TestUnauthenticatedRefusalsAreCapped(t *testing.T) {
	f := newFixture(t)
	c := &call{Place: Place{Snapshot: f.replica.Snapshot(), Issuer: f.replica.Snapshot().Issuers["default"]}, now: start}
	for range 200 { // the step itself: the whole request asks the store each time
		c.record = audit.Record{Time: start, Endpoint: "token", Issuer: "default", Peer: netip.MustParseAddr("192.0.2.7")}
		f.refused(c, errNoGrant)
	}
	if n := len(f.records()); n != 60 {
		t.Errorf("%d records of 200 unauthenticated refusals", n)
	}
	for range 200 {
		c.record = audit.Record{Time: start, Endpoint: "token", Issuer: "default", Peer: netip.MustParseAddr("192.0.2.7"), Verified: true}
		f.refused(c, errNoGrant)
	}
	if n := len(f.records()); n != 260 {
		t.Errorf("%d records", n)
	}
}

// TestNoSecretIsWritten: no secret and no token stands in the spool, the log, or
// an answer, wherever the request carried it.
func TestNoSecretIsWritten(t *testing.T) {
	f := newFixture(t)
	var answers bytes.Buffer
	keep := func(w *httptest.ResponseRecorder) {
		if w.Code != 200 {
			answers.Write(w.Body.Bytes())
		}
	}
	answer, _, _ := f.token(f.post("billing", grant))
	keep(f.post("disabled", grant))
	keep(f.post("nobody", grant))
	keep(f.ask("POST", base+"/token?client_secret="+secret1, grant))
	keep(f.ask("GET", base+"/token?client_id=billing&client_secret="+secret1, ""))
	keep(f.ask("POST", base+"/token", grant+"&client_secret="+secret1))
	keep(f.ask("POST", base+"/token", grant+"&client_secret=other&client_id="+secret1))
	keep(f.post("billing", grant+"&scope="+secret1))
	keep(f.post("billing", grant+"&audience="+secret1))
	keep(f.ask("POST", base+"/token", grant+"&client_id=billing&client_secret="+secret1+"%00"))
	keep(f.ask("POST", base+"/token", grant, "Authorization", "Bearer "+secret1))
	keep(f.ask("POST", base+"/token", grant, "Authorization", basic("billing:"+secret1+"%")))
	keep(f.ask("POST", base+"/token", grant+"&client_id=billing&client_secret="+secret1, "Authorization", basicAuth("billing", secret1)))
	var spool bytes.Buffer
	files, err := filepath.Glob(filepath.Join(f.dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		spool.Write(data)
	}
	if !strings.Contains(spool.String(), "replace that credential") {
		t.Error("no record tells that a secret went through the URL")
	}
	signature := answer.AccessToken[strings.LastIndexByte(answer.AccessToken, '.'):]
	for place, text := range map[string]string{"the spool": spool.String(), "the log": f.log.String(), "an answer": answers.String()} {
		if strings.Contains(text, secret1) || strings.Contains(text, signature) {
			t.Errorf("a secret or a token is in %s", place)
		}
	}
	// Nor does a request print it.
	q := &request{Secret: secret1, Method: "client_secret_basic"}
	for _, text := range []string{q.String(), q.GoString(), q.LogValue().String()} {
		if strings.Contains(text, secret1) {
			t.Error("a request prints its secret")
		}
	}
}
