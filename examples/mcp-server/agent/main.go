// Command agent calls a tool of an MCP server as a program, without a user: it
// learns from the server which issuer it trusts, and gets a token there by client
// credentials, with its private key.
//
//	agent SERVER TOOL
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/client"
)

// issuer is the one at which this agent is registered. An agent that went to
// whichever issuer a server names would show itself to anybody's.
const issuer = "http://127.0.0.1:8080"

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: agent SERVER TOOL")
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func run(server, tool string) error {
	plain := &http.Client{Timeout: 10 * time.Second}
	if err := trusts(plain, server); err != nil {
		return err
	}
	agent, err := client.New(client.Config{
		Issuer: issuer, ID: "agent", Auth: client.PrivateKeyFile("agent.key", ""),
		Resource: server, // the token is good at this server alone (RFC 8707)
		HTTP:     plain,
	})
	if err != nil {
		return err
	}
	defer agent.Close()
	for _, m := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"agent","version":"1.0.0"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, tool),
	} {
		answer, err := post(agent.HTTP(), server, m)
		if err != nil {
			return err
		}
		fmt.Print(answer)
	}
	return nil
}

// trusts asks the server without a token, follows the challenge to its metadata
// (RFC 9728 §5), and looks whether it is that server's and names our issuer.
func trusts(hc *http.Client, server string) error {
	resp, err := hc.Post(server, "application/json", strings.NewReader("{}"))
	if err != nil {
		return err
	}
	resp.Body.Close()
	_, rest, found := strings.Cut(resp.Header.Get("WWW-Authenticate"), `resource_metadata="`)
	at, _, _ := strings.Cut(rest, `"`)
	if resp.StatusCode != http.StatusUnauthorized || !found {
		return fmt.Errorf("%s: no challenge with resource_metadata, but %s", server, resp.Status)
	}
	if resp, err = hc.Get(at); err != nil {
		return err
	}
	defer resp.Body.Close()
	var md symbolon.ResourceMetadata
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&md); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if md.Resource != server { // RFC 9728 §3.3
		return fmt.Errorf("%s is the metadata of another server, %s", at, md.Resource)
	}
	if !slices.Contains(md.AuthorizationServers, issuer) {
		return errors.New("the server trusts other issuers: " + strings.Join(md.AuthorizationServers, ", "))
	}
	fmt.Printf("%s trusts %s\n", server, issuer)
	return nil
}

func post(hc *http.Client, server, message string) (string, error) {
	req, err := http.NewRequest(http.MethodPost, server, bytes.NewReader([]byte(message)))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("MCP-Protocol-Version", "2025-11-25")
	resp, err := hc.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	return string(text), err
}
