package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon/internal/adminapi"
	"github.com/symbolon/symbolon/internal/node"
	"github.com/symbolon/symbolon/internal/registry"
)

// place says which server a command speaks to, and how it answers.
type place struct {
	*app
	socket, dataDir string
	json            bool
}

// local adds the flags that lead to a server on this machine.
func (a *app) local(cmd *cobra.Command) *place {
	p := &place{app: a}
	cmd.Flags().StringVar(&p.dataDir, "data-dir", "", "directory of the server (default $"+envDataDir+", else "+node.DefaultDataDir+")")
	cmd.Flags().StringVar(&p.socket, "socket", "", "socket of the server (default admin.sock in its directory)")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if _, named := p.namedDir(); named || p.socket != "" {
			return nil
		}
		// A name that is mistyped would lead to another server.
		return a.checkEnvironment()
	}
	return p
}

// objects is local for a command that prints objects.
func (a *app) objects(cmd *cobra.Command) *place {
	p := a.local(cmd)
	cmd.Flags().BoolVar(&p.json, "json", false, "print one JSON document")
	return p
}

func (p *place) dir() string {
	dir, _ := p.namedDir()
	return dir
}

// namedDir is the server's directory, and whether somebody named it: the default
// is wherever one happens to be.
func (p *place) namedDir() (dir string, named bool) {
	if p.dataDir != "" {
		return p.dataDir, true
	}
	if dir, ok := p.env(envDataDir); ok && dir != "" {
		return dir, true
	}
	return node.DefaultDataDir, false
}

func (p *place) path() string {
	if p.socket != "" {
		return p.socket
	}
	return node.SocketPath(p.dir())
}

// Bounds of an exchange with the server.
const (
	maxAnswer  = 64 << 20 // octets: an export of a large server
	sayItWaits = time.Second
)

// problem is an error of the admin API (RFC 9457).
type problem struct {
	Status    int
	Detail    string
	Code      string
	Fix       string
	RequestID string             `json:"request_id"`
	Errors    []registry.Problem `json:"errors"`
}

// Error is one line, and one more for each further thing that is wrong.
func (p *problem) Error() string {
	if len(p.Errors) > 0 {
		lines := make([]string, len(p.Errors))
		for i, e := range p.Errors {
			lines[i] = printable(e.String())
		}
		return strings.Join(lines, "\nsymbolon: ")
	}
	text := p.Detail
	if p.Fix != "" {
		text += "; " + p.Fix
	}
	if p.Status >= http.StatusInternalServerError && p.RequestID != "" {
		text += " (request " + p.RequestID + ")"
	}
	return printable(text)
}

// errNoServer: nobody listens on the socket.
var errNoServer = errors.New("no server answers")

// call sends a request to the admin API. body is nil, JSON that is ready
// ([]byte), or something to marshal; the answer goes into into.
func (p *place) call(ctx context.Context, method, path string, body, into any) error {
	return p.callAt(ctx, method, path, 0, body, into)
}

// callAt is call, unless the object has another version than the given one.
func (p *place) callAt(ctx context.Context, method, path string, version int64, body, into any) error {
	text, ready := body.([]byte)
	if body != nil && !ready {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://symbolon/admin/v1"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if version != 0 {
		r.Header.Set("If-Match", fmt.Sprintf("%q", fmt.Sprint(version)))
	}
	defer p.waiting("the server is still working on it")()
	return p.exchange(r, into)
}

func (p *place) exchange(r *http.Request, into any) error {
	transport := &http.Transport{DialContext: p.dial}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return p.unreachable(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the answer of the server broke off (%w); look whether the change is there before you repeat it", err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		fault := &problem{Status: resp.StatusCode, Detail: "the server answers " + resp.Status}
		_ = json.Unmarshal(answer, fault) // what is no problem document has its status
		return fault
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("the server's answer cannot be read (%w); is it of the same version as this program?", err)
	}
	return nil
}

func (p *place) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	_, named := p.namedDir()
	return adminapi.Dial(ctx, p.path(), os.Geteuid(), named || p.socket != "")
}

// unreachable says why there is no answer, and what to do.
func (p *place) unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	switch {
	case errors.Is(err, adminapi.ErrOwner):
		return err
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; look whether the change is there before you repeat it")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w at %s; start it with `%s serve`, or name its directory with --data-dir", errNoServer, p.path(), p.name)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is not yours to use; run the command as root or as the server's user", p.path())
	}
	return fmt.Errorf("the server at %s cannot be reached: %w; is it running?", p.path(), err)
}

// waiting says so when something takes longer than a second; the function that
// it gives ends it.
func (p *place) waiting(what string) (stop func()) {
	timer := time.AfterFunc(sayItWaits, func() { fmt.Fprintf(p.stderr, "symbolon: %s …\n", what) })
	return func() { timer.Stop() }
}

// at joins segments of a path, each escaped.
func at(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}
