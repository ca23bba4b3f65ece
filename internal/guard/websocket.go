package guard

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

const (
	headerSocketKey    = "Sec-Websocket-Key"
	headerSocketAccept = "Sec-Websocket-Accept"

	// socketGUID: RFC 6455 §1.3.
	socketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

var errNoWebSocket = errors.New("it switches to another protocol than the WebSocket that it was asked for (RFC 6455 §4.1)")

// isWebSocket: RFC 6455 §4.1: the one protocol to which a connection may change,
// since within it there are no requests to decide on.
func isWebSocket(r *http.Request) bool {
	upgrade, key := r.Header["Upgrade"], r.Header[headerSocketKey]
	return r.ProtoMajor == 1 && r.Method == http.MethodGet && r.ContentLength == 0 &&
		len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket") && len(key) == 1 && key[0] != ""
}

// accepted reports whether who answers has understood that it is a WebSocket: it
// has worked the request's key in (RFC 6455 §4.2.2). What merely answers 101, as
// somebody may make it do, would go on to read requests, on which nobody decides.
// ReverseProxy looks at Upgrade too, and leaves the connection open that has another.
func accepted(resp *http.Response) bool {
	if !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") {
		return false
	}
	sum := sha1.Sum([]byte(resp.Request.Header.Get(headerSocketKey) + socketGUID))
	values := resp.Header[headerSocketAccept]
	return len(values) == 1 && values[0] == base64.StdEncoding.EncodeToString(sum[:])
}
