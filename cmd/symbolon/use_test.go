package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/jose"
	"github.com/symbolon/symbolon/internal/logtest"
	"github.com/symbolon/symbolon/resource"
)

// world is an issuer and an API for the commands that use tokens.
type world struct {
	issuer, api string
	signer      *jose.Signer
}

const worldSecret = "c4n4ry-secret"

func newWorld(t *testing.T) *world {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{}
	if w.signer, err = jose.NewSigner(key, jose.ES256, "k1", symbolon.TypAccessToken); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(rw, `{"issuer":%q,"token_endpoint":%q,"jwks_uri":%q}`, w.issuer, w.issuer+"/token", w.issuer+"/jwks")
	})
	mux.HandleFunc("GET /jwks", func(rw http.ResponseWriter, r *http.Request) { fmt.Fprintf(rw, `{"keys":[%s]}`, w.signer.Key().JSON()) })
	mux.HandleFunc("POST /token", w.token)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	w.issuer = srv.URL

	api, err := resource.New(resource.Config{Issuer: w.issuer, Audience: "https://orders.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { api.Close() })
	paths := http.NewServeMux()
	paths.Handle("/orders", api.Require("orders:read")(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rw.Header().Set("X-Seen", "one")
		fmt.Fprintf(rw, "%s %s %q %s %s", r.Method, resource.CallerFrom(r.Context()).ClientID, r.Header.Get("Content-Type"), r.Header.Get("X-Mine"), body)
	})))
	paths.Handle("/write", api.Require("orders:write")(http.NotFoundHandler()))
	for path, bound := range map[string]string{"/bound": resource.BoundDPoP, "/either": resource.BoundRequired} {
		demanding, err := resource.New(resource.Config{Issuer: w.issuer, Audience: "https://orders.example.com", Bound: bound})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { demanding.Close() })
		paths.Handle(path, demanding.Require("orders:read")(http.NotFoundHandler()))
	}
	paths.Handle("/away", http.RedirectHandler("/orders", http.StatusFound))
	apiSrv := httptest.NewServer(paths)
	t.Cleanup(apiSrv.Close)
	w.api = apiSrv.URL
	return w
}

func (w *world) token(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "application/json")
	if id, secret, _ := r.BasicAuth(); id != "billing" || secret != worldSecret {
		rw.Header().Set("Request-Id", "rid-1")
		rw.WriteHeader(http.StatusUnauthorized)
		io.WriteString(rw, `{"error":"invalid_client","error_description":"client authentication failed"}`)
		return
	}
	scope := r.PostFormValue("scope")
	if scope == "" {
		scope = "orders:read"
	}
	json.NewEncoder(rw).Encode(symbolon.TokenAnswer{AccessToken: w.sign(scope, time.Hour), TokenType: "Bearer", ExpiresIn: 3600, Scope: scope})
}

func (w *world) sign(scope string, life time.Duration) string {
	now := time.Now()
	c := symbolon.Claims{
		Issuer: w.issuer, Subject: "billing", Audience: []string{"https://orders.example.com"}, Expiry: now.Add(life).Unix(), IssuedAt: now.Unix(), ID: "j1",
		ClientID: "billing", Scope: scope, Extra: map[string]json.RawMessage{"role": json.RawMessage(`"batch\u001b[31m"`)},
	}
	token, err := w.signer.Sign(c.AppendJSON(nil))
	if err != nil {
		panic(err)
	}
	return token
}

// slow is what is said when something takes over a second, as on a busy machine.
var slow = regexp.MustCompile(`(?m)^symbolon: .* …\n`)

// exec runs the program with the world's client in its environment.
func (w *world) exec(stdin string, args ...string) (code int, stdout, stderr string) {
	vars := map[string]string{envIssuer: w.issuer, envClient: "billing", envSecret: worldSecret, "OTHER_SECRET": worldSecret, "OTHER_TOKEN": w.sign("orders:read", time.Hour)}
	var out bytes.Buffer
	var errs logtest.Buffer
	a := &app{
		name: "symbolon", now: time.Now, stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs,
		env: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
	}
	code = run(context.Background(), a, args)
	return code, out.String(), slow.ReplaceAllString(errs.String(), "")
}

func TestTokenForms(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(worldSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		want string
	}{
		{"", "eyJ"},
		{"-o token --secret-file " + file, "eyJ"},
		{"-o header --secret-env OTHER_SECRET", "Authorization: Bearer eyJ"},
		{"-o env", "ACCESS_TOKEN=eyJ"},
		{"--token-url " + w.issuer + "/token", "eyJ"},
	} {
		code, out, errs := w.exec("", append([]string{"token"}, strings.Fields(c.args)...)...)
		if code != 0 || !strings.HasPrefix(out, c.want) || errs != "" {
			t.Errorf("token %s: %d %s %s", c.args, code, out, errs)
		}
	}
	code, out, _ := w.exec("", "token", "--json", "--scope", "orders:read,orders:write", "--resource", "https://orders.example.com")
	var answer symbolon.TokenAnswer
	if err := json.Unmarshal([]byte(out), &answer); code != 0 || err != nil || answer.Scope != "orders:read orders:write" || answer.TokenType != "Bearer" || answer.ExpiresIn < 3590 {
		t.Errorf("%d %s", code, out)
	}
}

// TestInspectTakesTheIssuerOfTheEnvironment: for the checks that --audience asks
// for; without it a token is looked at and no key is fetched.
func TestInspectTakesTheIssuerOfTheEnvironment(t *testing.T) {
	w := newWorld(t)
	for args, checked := range map[string]bool{"inspect --token-env OTHER_TOKEN": false, "inspect --token-env OTHER_TOKEN --audience https://orders.example.com": true} {
		code, out, stderr := w.exec("", strings.Fields(args)...)
		if code != 0 || strings.Contains(out, "The token is valid for this API.") != checked {
			t.Errorf("%s: %d\n%s%s", args, code, out, stderr)
		}
	}
}

// TestUseErrors: 1 refused or failed, 2 wrong usage; which option to correct;
// no secret in any text.
func TestUseErrors(t *testing.T) {
	w := newWorld(t)
	token := w.sign("orders:read", time.Hour)
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"token", "--client", "other"}, 1, "invalid_client: client authentication failed (request rid-1)"},
		{[]string{"token", "--secret-env", "NONE"}, 2, "NONE"},
		{[]string{"token", "--secret-file", "a", "--secret-env", "b"}, 2, "one of"},
		{[]string{"token", "--secret-file", dir + "/none"}, 2, "--secret-file: the secret's file cannot be opened"},
		{[]string{"token", "--issuer", "auth.example.com"}, 2, "--issuer: "},
		{[]string{"token", "--issuer", "http://127.0.0.1:1"}, 1, "connection refused"},
		{[]string{"token", "--scope", "ü"}, 2, "--scope: "},
		{[]string{"token", "--resource", "orders"}, 2, "--resource: "},
		{[]string{"token", "-o", "xml"}, 2, "--output"},
		{[]string{"token", "more"}, 2, "takes no argument"},
		{[]string{"token", "--secret", worldSecret}, 2, "unknown flag"},
		{[]string{"call"}, 2, "takes URL"},
		{[]string{"call", "orders"}, 2, "is not a URL"},
		{[]string{"call", "http://orders.example.com"}, 2, "the URL: "},
		{[]string{"call", "-H", "nonsense", w.api}, 2, "Name: value"},
		{[]string{"call", "-H", "authorization: Bearer x", w.api}, 2, "Authorization"},
		{[]string{"call", "-X", "A B", w.api}, 2, "cannot be made"},
		{[]string{"call", "-d", "@" + dir + "/none", w.api}, 1, "--data: "},
		{[]string{"call", w.api + "/write"}, 1, `the API answered 403 Forbidden; Bearer realm="https://orders.example.com", error="insufficient_scope"`},
		{[]string{"call", w.api + "/none"}, 1, "the API answered 404"},
		{[]string{"call", w.api + "/bound"}, 1, "\nsymbolon: repeat it with --dpop, which"},
		{[]string{"call", w.api + "/either"}, 1, "--dpop-key FILE; or with --cert FILE and --cert-key FILE\n"},
		{[]string{"inspect", token}, 2, "can be read by other users"},
		{[]string{"inspect", "a", "b"}, 2, "takes [FILE]"},
		{[]string{"inspect", dir + "/none"}, 1, "none"},
		{[]string{"inspect", dir}, 1, dir + ": cannot be read: is a directory; check the path"},
		{[]string{"inspect", "--token-env", "NONE"}, 1, "NONE"},
		{[]string{"inspect", "--issuer", w.issuer}, 2, "both --issuer and --audience"},
		{[]string{"inspect", "--scope", "x"}, 2, "belong to the checks"},
		{[]string{"inspect", "--issuer", "http://auth.example.com", "--audience", "a", "--token-env", "OTHER_TOKEN"}, 2, "--issuer: "},
		{[]string{"inspect", "--issuer", w.issuer, "--audience", `a"b`, "--token-env", "OTHER_TOKEN"}, 2, "--audience: "},
		{[]string{"inspect", "--issuer", w.issuer, "--audience", "a", "--allow-typ", "none", "--token-env", "OTHER_TOKEN"}, 2, "--allow-typ: "},
		{[]string{"token", "--token-url", "http://auth.example.com/token"}, 2, "--token-url: "},
		{[]string{"inspect"}, 1, "no token in the input"},
		{[]string{"keygen"}, 2, "takes NAME"},
		{[]string{"keygen", dir + "/k", "--alg", "HS256"}, 2, "--alg"},
		{[]string{"keygen", dir + "/none/k"}, 1, "none/k.key"},
	} {
		code, out, errs := w.exec("", c.args...)
		if code != c.code || !strings.Contains(errs, c.want) || !strings.HasPrefix(errs, "symbolon: ") {
			t.Errorf("%q: %d %s", c.args, code, errs)
		}
		if strings.Contains(out+errs, worldSecret) && c.args[len(c.args)-1] != worldSecret || strings.Contains(errs, token) {
			t.Errorf("%q prints a secret: %s", c.args, errs)
		}
	}
}

// TestWayOut: a refusal is followed by what to type next, where that is known,
// and by nothing where it would mislead.
func TestWayOut(t *testing.T) {
	const id = "k3Jx0cQm1mYtq0Wl2Zr8aA"
	refused := func(code symbolon.Code, words, requestID string) error {
		return &symbolon.Error{Code: code, Description: words, RequestID: requestID}
	}
	none, proving, presenting := credentials{}, credentials{proves: true}, credentials{presents: true}
	const wantsEither = "the token must be sender-constrained: send a DPoP proof, or use the token endpoint of mtls_endpoint_aliases with a client certificate"
	for name, c := range map[string]struct {
		has  credentials
		err  error
		want string
	}{
		"a proof":                         {none, refused(symbolon.InvalidRequest, "send a DPoP proof in the header DPoP", id), "repeat it with --dpop"},
		"a proof, where one is":           {proving, refused(symbolon.InvalidRequest, "send a DPoP proof in the header DPoP", id), "symbolon explain " + id},
		"a proof's nonce":                 {none, refused(symbolon.UseDPoPNonce, "", id), "repeat it with --dpop"},
		"a proof that is wrong":           {proving, refused(symbolon.InvalidDPoPProof, "", id), "symbolon explain " + id},
		"a token of type DPoP":            {none, refused(symbolon.ServerError, "set Config.DPoP if it is DPoP", ""), "repeat it with --dpop"},
		"a certificate":                   {none, refused(symbolon.InvalidRequest, "the token must be bound to a certificate", id), "repeat it with --cert FILE"},
		"a proof besides the certificate": {presenting, refused(symbolon.InvalidRequest, "send a DPoP proof", id), "repeat it with --dpop"},
		"either":                          {none, refused(symbolon.InvalidRequest, wantsEither, id), "--dpop-key FILE; or with --cert"},
		"who it is":                       {none, refused(symbolon.InvalidClient, "client authentication failed", id), "its operator sees why with: symbolon explain " + id},
		"who it is, by another server":    {none, refused(symbolon.InvalidClient, "client authentication failed", "0a1b-2c3d"), ""},
		"an id that is an option":         {none, refused(symbolon.InvalidClient, "", "-3Jx0cQm1mYtq0Wl2Zr8aA"), ""},
		"an id that a shell reads":        {none, refused(symbolon.InvalidClient, "", "k3Jx0cQm1mYtq0Wl2$(a)A"), ""},
		"the server's own certificate":    {none, refused(symbolon.TemporarilyUnavailable, "tls: failed to verify certificate", ""), ""},
		"another error":                   {none, errors.New("DPoP proof"), ""},
	} {
		k := &asker{credentials: c.has}
		got := k.advise(c.err)
		line, _ := strings.CutPrefix(got.Error(), c.err.Error())
		if !errors.Is(got, c.err) || c.want == "" && line != "" || !strings.Contains(line, c.want) || c.want != "" && !strings.HasPrefix(line, "\nsymbolon: ") {
			t.Errorf("%s: %q, want … %s", name, got, c.want)
		}
	}
	if (&asker{}).advise(nil) != nil {
		t.Error("what went well is advised")
	}
}

func TestCall(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, []byte("n=1"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  []string
		stdin string
		want  string
	}{
		{[]string{w.api + "/orders"}, "", `GET billing ""  `},
		{[]string{"-d", `{"n":1}`, w.api + "/orders"}, "", `POST billing "application/json"  {"n":1}`},
		{[]string{"-d", "@" + file, w.api + "/orders"}, "", `POST billing "application/x-www-form-urlencoded"  n=1`},
		{[]string{"-X", "PUT", "-d", "@-", "-H", "Content-Type: text/plain", "-H", "X-Mine: yes", w.api + "/orders"}, "in", `PUT billing "text/plain" yes in`},
		{[]string{"-X", "DELETE", w.api + "/orders"}, "", `DELETE billing ""  `},
		{[]string{"-d", "", w.api + "/orders"}, "", `POST billing "application/x-www-form-urlencoded"  `},
	} {
		code, out, errs := w.exec(c.stdin, append([]string{"call"}, c.args...)...)
		if code != 0 || out != c.want || errs != "" {
			t.Errorf("%q: %d %q %s", c.args, code, out, errs)
		}
	}
	code, out, _ := w.exec("", "call", "-i", w.api+"/orders")
	if code != 0 || !strings.HasPrefix(out, "HTTP/1.1 200 OK\n") || !strings.Contains(out, "\nX-Seen: one\n\nGET billing") {
		t.Errorf("%d %q", code, out)
	}
	// Redirects are shown, not followed; a refusal's body is printed as well.
	if code, out, _ := w.exec("", "call", "-i", w.api+"/away"); code != 0 || !strings.Contains(out, "302 Found") {
		t.Errorf("%d %q", code, out)
	}
	if code, out, _ := w.exec("", "call", w.api+"/write"); code != 1 || !strings.Contains(out, `"error":"insufficient_scope"`) {
		t.Errorf("%d %q", code, out)
	}
}

func TestInspect(t *testing.T) {
	w := newWorld(t)
	good, expired := w.sign("orders:read", time.Hour), w.sign("orders:read", -time.Hour)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(good+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	checks := []string{"--issuer", w.issuer, "--audience", "https://orders.example.com"}
	for _, c := range []struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		{good, nil, 0, "no check was made"},
		{good, []string{"-"}, 0, "https://orders.example.com"},
		{"", []string{file}, 0, "(in "}, // 1h0m0s or 59m59s
		{`{"access_token":"` + good + `","token_type":"Bearer"}`, nil, 0, "which API it is for"},
		{"Authorization: Bearer " + good + "\n", nil, 0, "billing"},
		{expired, nil, 0, "s ago) "},
		{good, checks, 0, "The token is valid for this API."},
		{good, append(checks, "--scope", "orders:read"), 0, "valid"},
		{good, append(checks, "--scope", "orders:write"), 1, "FAIL"},
		{expired, checks, 1, "ask for a new token"},
		{good[:len(good)-4] + "AAAA", checks, 1, "the token was changed or forged"},
		{good, []string{"--issuer", "http://127.0.0.1:1", "--audience", "x"}, 1, "from another issuer"},
	} {
		code, out, errs := w.exec(c.stdin, append([]string{"inspect"}, c.args...)...)
		if c.want == "from another issuer" {
			c.want = "FAIL" // the words of the check say more than the error's
		}
		if code != c.code || !strings.Contains(out, c.want) || errs != "" {
			t.Errorf("inspect %q: %d %s %s", c.args, code, out, errs)
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("inspect %q moves the terminal's cursor: %q", c.args, out)
		}
		if strings.Contains(out, good[len(good)-40:]) {
			t.Errorf("inspect %q prints the signature, and so the token", c.args)
		}
	}
	code, out, _ := w.exec(good, append([]string{"inspect", "--json"}, checks...)...)
	var seen struct {
		Header struct{ Alg, Kid, Typ string }
		Claims symbolonClaims
		Checks []symbolon.Check
		Valid  *bool
	}
	if err := json.Unmarshal([]byte(out), &seen); err != nil || code != 0 || seen.Header.Alg != "ES256" || seen.Claims.ClientID != "billing" || len(seen.Checks) < 10 || seen.Valid == nil || !*seen.Valid {
		t.Errorf("%d %s", code, out)
	}
	for _, bad := range []string{"opaque", "a.b.c", "e30.e30", "e30.W10.AA", strings.Repeat("a", 17<<10), "e30.eyJhIjoxLCJhIjoyfQ.AA"} {
		if code, _, errs := w.exec(bad, "inspect"); code != 1 || errs == "" {
			t.Errorf("%.20s: %d %s", bad, code, errs)
		}
	}
}

type symbolonClaims struct {
	ClientID string `json:"client_id"`
}

func TestKeygen(t *testing.T) {
	w := newWorld(t)
	for alg := range keyMakers {
		name := filepath.Join(t.TempDir(), "billing")
		code, out, errs := w.exec("", "keygen", name, "--alg", string(alg), "--json")
		var pair keyPair
		if err := json.Unmarshal([]byte(out), &pair); err != nil || code != 0 || errs != "" {
			t.Fatalf("%s: %d %s %s", alg, code, out, errs)
		}
		privatePEM, err := os.ReadFile(pair.Private)
		if err != nil {
			t.Fatal(err)
		}
		private, err := jose.ParsePrivatePEM(privatePEM)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := jose.NewSigner(private, alg, pair.KeyID, "x")
		if err != nil {
			t.Fatal(err)
		}
		token, err := signer.Sign([]byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		public, err := jose.ParseKey(pair.JWK)
		if err != nil || public.ID != public.Thumbprint() || public.ID != pair.KeyID || public.Algorithm != alg {
			t.Fatalf("%s: %v %s", alg, err, pair.JWK)
		}
		parsed, err := jose.Parse(token)
		if err != nil || parsed.Verify(public) != nil {
			t.Errorf("%s: the halves do not fit", alg)
		}
		publicPEM, err := os.ReadFile(pair.Public)
		if err != nil || !bytes.Equal(publicPEM, public.PEM()) {
			t.Errorf("%s: %s", alg, publicPEM)
		}
		if info, err := os.Stat(pair.Private); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		if strings.Contains(out, "PRIVATE") {
			t.Error("the private key is printed")
		}
		neverOver(t, w, name, pair)
	}
	name := filepath.Join(t.TempDir(), "k")
	if code, out, _ := w.exec("", "keygen", name, "--kid", "mine"); code != 0 || !strings.Contains(out, `"kid":"mine"`) {
		t.Errorf("%d %s", code, out)
	}
}

// neverOver: neither file is written over, and where one is in the way the
// other is not left behind.
func neverOver(t *testing.T, w *world, name string, pair keyPair) {
	t.Helper()
	before, _ := os.ReadFile(pair.Private)
	for _, gone := range []string{"", pair.Private} {
		if gone != "" {
			if err := os.Remove(gone); err != nil {
				t.Fatal(err)
			}
		}
		code, _, errs := w.exec("", "keygen", name, "--alg", "ES256")
		if code != 1 || !strings.Contains(errs, "is not written over") {
			t.Errorf("%d %s", code, errs)
		}
		after, err := os.ReadFile(pair.Private)
		if gone == "" && !bytes.Equal(before, after) || gone != "" && err == nil {
			t.Error("the private key was written")
		}
	}
}
