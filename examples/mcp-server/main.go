// Command mcp-server is an MCP server over streamable HTTP whose callers need
// access tokens: who has none is told where they come from (RFC 9728), and each
// tool needs its scope.
package main

import (
	"log"
	"log/slog"
	"net/http"

	"github.com/symbolon/symbolon/resource"
)

// tools are what this server can do, and what a caller needs for it.
var tools = []tool{
	{
		Name: "list_orders", Description: "Lists all orders", InputSchema: noArguments, scope: "orders:read",
		call: func(*resource.Caller) string { return "1: tea\n2: cake" },
	},
	{
		Name: "cancel_orders", Description: "Cancels all orders", InputSchema: noArguments, scope: "orders:write",
		call: func(c *resource.Caller) string { return "cancelled for " + c.ClientID },
	},
}

func main() {
	api, err := resource.New(resource.Config{
		Issuer:   "http://127.0.0.1:8080",
		Audience: "http://127.0.0.1:9090/mcp", // the server's canonical URI
		Logger:   slog.Default(),
	})
	if err != nil {
		log.Fatal(err)
	}
	mcp := &server{origin: "http://127.0.0.1:9090"}
	basic := http.HandlerFunc(mcp.answer)
	mcp.other = api.Require("orders:read")(basic) // initialize, tools/list, …
	mcp.byTool = make(map[string]http.Handler)
	for _, t := range tools {
		mcp.byTool[t.Name] = api.Require(t.scope)(basic)
	}
	http.Handle("/mcp", mcp)
	http.Handle(api.Metadata())
	log.Fatal(http.ListenAndServe("127.0.0.1:9090", nil))
}
