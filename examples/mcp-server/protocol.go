package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"

	"github.com/symbolon/symbolon/resource"
)

// versions of the protocol that this server speaks, newest first.
var versions = []string{"2025-11-25", "2025-06-18"}

// Error codes of JSON-RPC 2.0 §5.1.
const (
	notJSON       = -32700
	notARequest   = -32600
	unknownMethod = -32601
	wrongParams   = -32602
)

type tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"inputSchema"`

	scope string
	call  func(*resource.Caller) string
}

var noArguments = json.RawMessage(`{"type":"object"}`)

// message is one of JSON-RPC, from the caller.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"` // absent: a notification
	Method  string          `json:"method"`
	Params  struct {
		Name            string `json:"name"`            // of tools/call
		ProtocolVersion string `json:"protocolVersion"` // of initialize
	} `json:"params"`
}

// server answers each message by itself and in one piece: there are no sessions
// and no streams.
type server struct {
	origin string                  // whose pages may call from a browser
	other  http.Handler            // what needs no tool's scope
	byTool map[string]http.Handler // tools/call, by the tool's name
}

type messageKey struct{}

// ServeHTTP reads the message, so that it is known which scope it needs, and
// leaves it to the handler that demands that.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A page in a browser on this machine may be anybody's (DNS rebinding).
	if o := r.Header.Get("Origin"); o != "" && o != s.origin {
		http.Error(w, "not for pages of other origins", http.StatusForbidden)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "messages are posted; there is no stream to listen to", http.StatusMethodNotAllowed)
		return
	}
	var m *message
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err == nil && json.Unmarshal(text, &m) != nil {
		m = nil
	}
	to := s.other
	if m != nil && m.Method == "tools/call" && s.byTool[m.Params.Name] != nil {
		to = s.byTool[m.Params.Name]
	}
	to.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), messageKey{}, m)))
}

// answer is reached with a token that has the scope.
func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	m := r.Context().Value(messageKey{}).(*message)
	spoken := r.Header.Get("MCP-Protocol-Version")
	switch {
	case m == nil:
		reply(w, http.StatusBadRequest, nil, "error", fault(notJSON, "not JSON"))
	case m.Version != "2.0" || m.Method == "" || spoken != "" && !slices.Contains(versions, spoken):
		reply(w, http.StatusBadRequest, m.ID, "error", fault(notARequest, "not a request of JSON-RPC 2.0 and of a version that is spoken here"))
	case m.ID == nil:
		w.WriteHeader(http.StatusAccepted)
	default:
		member, value := s.result(m, resource.CallerFrom(r.Context()))
		reply(w, http.StatusOK, m.ID, member, value)
	}
}

func (s *server) result(m *message, caller *resource.Caller) (member string, value any) {
	switch m.Method {
	case "initialize":
		version := versions[0]
		if slices.Contains(versions, m.Params.ProtocolVersion) {
			version = m.Params.ProtocolVersion
		}
		return "result", map[string]any{
			"protocolVersion": version,
			"capabilities":    map[string]any{"tools": map[string]any{}},
			"serverInfo":      map[string]any{"name": "orders", "version": "1.0.0"},
		}
	case "ping":
		return "result", map[string]any{}
	case "tools/list":
		return "result", map[string]any{"tools": tools}
	case "tools/call":
		i := slices.IndexFunc(tools, func(t tool) bool { return t.Name == m.Params.Name })
		if i < 0 {
			return "error", fault(wrongParams, "no such tool")
		}
		return "result", map[string]any{"content": []any{map[string]any{"type": "text", "text": tools[i].call(caller)}}}
	}
	return "error", fault(unknownMethod, "no such method")
}

func fault(code int, text string) map[string]any {
	return map[string]any{"code": code, "message": text}
}

func reply(w http.ResponseWriter, status int, id json.RawMessage, member string, value any) {
	if id == nil {
		id = json.RawMessage("null")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": id, member: value})
}
