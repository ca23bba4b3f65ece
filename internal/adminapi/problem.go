package adminapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/internal/admin"
	"github.com/symbolon/symbolon/internal/registry"
	"github.com/symbolon/symbolon/internal/web"
)

// problem is the body of every error (RFC 9457). It repeats no value of the
// request, which may hold a secret.
type problem struct {
	Title     string             `json:"title"`
	Status    int                `json:"status"`
	Detail    string             `json:"detail" doc:"What happened, on one line"`
	Code      admin.Code         `json:"code" doc:"The sort of error, for programs"`
	Fix       string             `json:"fix,omitempty" doc:"What to do about it"`
	RequestID string             `json:"request_id,omitempty" doc:"Leads to the cause in the server's log"`
	Errors    []registry.Problem `json:"errors,omitempty" doc:"What is wrong with the objects of the request"`

	headers http.Header
}

// Error makes it an error that huma writes.
func (p *problem) Error() string { return p.Detail }

// GetStatus is the status of the answer.
func (p *problem) GetStatus() int { return p.Status }

// GetHeaders are further headers of the answer.
func (p *problem) GetHeaders() http.Header { return p.headers }

// ContentType is the media type of RFC 9457.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// internalError is the code of what this package does not expect.
const internalError admin.Code = "internal"

// statuses is the one place where the sort of an error gets its status.
var statuses = map[admin.Code]int{
	admin.Invalid:     http.StatusBadRequest,
	admin.NotFound:    http.StatusNotFound,
	admin.Exists:      http.StatusConflict,
	admin.Conflict:    http.StatusConflict,
	admin.Refused:     http.StatusConflict,
	admin.Forbidden:   http.StatusForbidden,
	admin.TooMany:     http.StatusTooManyRequests,
	admin.Unavailable: http.StatusServiceUnavailable,
	internalError:     http.StatusInternalServerError,
}

// toProblem tells an error to the outside.
func toProblem(err error, requestID string) *problem {
	p := &problem{Code: admin.CodeOf(err), RequestID: requestID}
	var e *admin.Error
	var found registry.Problems
	switch {
	case errors.As(err, &found):
		p.Detail, p.Errors = found[0].String(), found
		p.Fix = "correct what errors names"
	case errors.As(err, &e):
		p.Detail, p.Fix = e.Message, e.Fix
	default:
		p.Code, p.Detail = internalError, "the server met an unexpected condition"
		p.Fix = "look for the request id in the server's log"
	}
	p.Status = statuses[p.Code]
	p.Title = http.StatusText(p.Status)
	if p.Status == http.StatusServiceUnavailable {
		p.headers = http.Header{"Retry-After": {"1"}}
	}
	return p
}

// writeError writes what the manners of HTTP refuse, and what serve does: there
// no huma is in between.
func writeError(x *web.Exchange, _ *http.Request, e *symbolon.Error) {
	p := &problem{Status: e.Code.TokenStatus(), Detail: e.Description, RequestID: x.RequestID, Code: admin.Code(e.Code)}
	var ours *admin.Error
	if errors.As(e, &ours) {
		p = toProblem(ours, x.RequestID)
	}
	p.Title = http.StatusText(p.Status)
	h := x.Header()
	web.NoStore(h)
	h.Set("Content-Type", p.ContentType(""))
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{}`) // plain texts always marshal
	}
	x.WriteHeader(p.Status)
	x.Write(body)
}

// huma keeps its constructor of errors in a variable of the package. Its own
// would repeat the value that was refused.
func init() {
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		p := &problem{Title: http.StatusText(status), Status: status, Detail: message, Code: admin.Invalid}
		if ctx != nil {
			p.RequestID = actorOf(ctx.Context()).RequestID
		}
		if status >= http.StatusInternalServerError {
			p.Code, p.Detail = internalError, "the server met an unexpected condition"
		}
		for _, err := range errs {
			var d *huma.ErrorDetail
			if errors.As(err, &d) {
				p.Errors = append(p.Errors, registry.Problem{Path: d.Location, Message: d.Message})
			}
		}
		if len(p.Errors) > 0 {
			p.Detail = strings.TrimPrefix(p.Errors[0].Path+": "+p.Errors[0].Message, ": ")
		}
		return p
	}
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return huma.NewErrorWithContext(nil, status, message, errs...)
	}
}
