package web

import (
	"net/http"
	"time"

	"github.com/symbolon/symbolon"
)

// Limits of a listener: what one slow or greedy peer may take.
const (
	HeaderTimeout = 5 * time.Second   // from the first octet of a request to the end of its head
	BodyTimeout   = 10 * time.Second  // for the body after it
	WriteTimeout  = 10 * time.Second  // for the answer
	IdleTimeout   = 120 * time.Second // between two requests of a connection
)

// bufioSlop is what net/http adds to MaxHeaderBytes for its read buffer.
const bufioSlop = 4096

// Limit sets the limits on a server before it serves.
func Limit(s *http.Server) {
	s.ReadHeaderTimeout = HeaderTimeout
	s.ReadTimeout = HeaderTimeout + BodyTimeout
	// net/http counts it from the end of the head, so the body's time is in it.
	s.WriteTimeout = BodyTimeout + WriteTimeout
	s.IdleTimeout = IdleTimeout
	s.MaxHeaderBytes = symbolon.MaxHeader - bufioSlop
	s.DisableGeneralOptionsHandler = true // its answer to OPTIONS * has no request id
}
