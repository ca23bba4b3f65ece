package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoSecretLeavesATrace sends secrets and tokens in every right and wrong
// place, with the access log on, and then looks for each of them in all that the
// server wrote: its log, its answers, its spool, its database, and what the
// commands print about the requests.
func TestNoSecretLeavesATrace(t *testing.T) {
	v := newVictim(t, "sqlite")
	cmd := exec.Command("symbolon", "serve", "--log", "debug", "--url", "http://"+v.addr, "--listen", v.addr,
		"--data-dir", filepath.Join(v.dir, "data"), "--apply", filepath.Join(v.dir, "state.yaml"))
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitUntil200(t, "http://"+v.addr+"/readyz")

	wrong := "canary-" + rand.Text()
	answers := sendSecrets(t, v, wrong)
	var said strings.Builder
	for _, line := range []string{
		"symbolon audit search --data-dir data", "symbolon audit search --data-dir data --json",
		"symbolon client show billing --data-dir data --json", "symbolon export --data-dir data --json",
	} {
		out, err := shell(t, v.dir, line+" 2>&1")
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		said.WriteString(out)
	}
	cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}

	traces := map[string][]byte{"the log": log.Bytes(), "a refusal": []byte(answers.refusals), "a command": []byte(said.String())}
	err := filepath.WalkDir(filepath.Join(v.dir, "data"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		traces[d.Name()] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(traces["0000000001.jsonl"], []byte("billing")) || !bytes.Contains(traces["the log"], []byte("token")) {
		t.Fatal("the spool or the log is empty: nothing was looked at")
	}
	if !bytes.Contains(traces["0000000001.jsonl"], []byte(`"client":"sym_[redacted]"`)) || !bytes.Contains(traces["symbolon.db"], []byte(`"client":"sym_[redacted]"`)) {
		t.Error("no record tells that a secret was sent as a client_id")
	}
	canaries := map[string]string{"the client's secret": v.secret, "half of the client's secret": v.secret[:25], "a wrong secret": wrong}
	for name, value := range map[string]string{"the client's secret": v.secret, "a wrong secret": wrong} {
		canaries[name+" in Basic"] = strings.TrimRight(base64.StdEncoding.EncodeToString([]byte("billing:" + value))[:40], "=")
	}
	for _, token := range answers.tokens {
		canaries["a token"] = token
		canaries["a token's signature"] = token[strings.LastIndexByte(token, '.')+1:]
	}
	for where, text := range traces {
		for what, value := range canaries {
			if bytes.Contains(text, []byte(value)) {
				t.Errorf("%s stands in %s", what, where)
			}
		}
	}
}

// sent is what came back for the secrets.
type sent struct {
	refusals string
	tokens   []string
}

func sendSecrets(t *testing.T, v *victim, wrong string) sent {
	t.Helper()
	var out sent
	endpoint := "http://" + v.addr + "/token"
	send := func(target, authorization, body string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var body2 bytes.Buffer
		if _, err := body2.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			out.refusals += body2.String()
			return
		}
		_, rest, _ := strings.Cut(body2.String(), `"access_token":"`)
		token, _, _ := strings.Cut(rest, `"`)
		out.tokens = append(out.tokens, token)
	}
	const grant = "grant_type=client_credentials"
	// The secret where another text belongs, which the record tells: first, for few
	// refusals of one address are copied to the database.
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("billing:"+v.secret))
	swapped := "Basic " + base64.StdEncoding.EncodeToString([]byte(v.secret+":billing"))
	send(endpoint, swapped, grant)
	send(endpoint, "", grant+"&client_id="+v.secret+"&client_secret="+wrong)
	send(endpoint, "", grant+"&client_id="+v.secret+"x&scope="+v.secret)
	for _, member := range []string{"scope", "resource", "audience"} {
		send(endpoint, basic, grant+"&"+member+"="+v.secret)
		send(endpoint, basic, grant+"&"+member+"="+strings.Repeat("x", 170)+v.secret)
	}
	for _, secret := range []string{v.secret, wrong} {
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("billing:"+secret))
		send(endpoint, basic, grant)
		send(endpoint, "", grant+"&client_id=billing&client_secret="+secret)
		send(endpoint, basic, grant+"&client_id=billing&client_secret="+secret)
		send(endpoint, basic, grant+"&scope=no:such")
		send(endpoint, basic, "grant_type="+url.QueryEscape("other"))
		send(endpoint, "Bearer "+secret, grant)
		send(endpoint, "Basic "+secret, grant)
		send(endpoint, basic+"!", grant)
		send(endpoint+"?client_id=billing&client_secret="+secret, "", grant)
		send("http://"+v.addr+"/nowhere?client_secret="+secret, basic, grant)
		send("http://"+v.addr+"/jwks?access_token="+secret, basic, grant)
	}
	if len(out.tokens) != 2 {
		t.Fatalf("%d tokens, want 2", len(out.tokens))
	}
	return out
}
