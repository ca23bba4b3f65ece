package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/symbolon/symbolon/internal/web"
)

// drainTime is how long requests in flight get when the node stops.
const drainTime = 10 * time.Second

// listen opens all sockets before anything serves: a port in use is found
// before the first token leaves.
func (n *Node) listen() error {
	proxies, err := n.cfg.proxies()
	if err != nil {
		return err
	}
	connections := web.FileConnections(proxies)
	for i, l := range n.cfg.Listen {
		socket, cert, err := n.open("listen", listenPath(i), l)
		if err != nil {
			return err
		}
		scheme := "http"
		socket = connections.Limit(socket)
		if cert != nil {
			scheme = "https"
			socket = tls.NewListener(socket, cert.TLSConfig())
		}
		n.sockets = append(n.sockets, socket)
		n.hears(socket.Addr(), scheme)
	}
	for _, socket := range n.cfg.Sockets {
		n.hears(socket.Addr(), "")
		n.sockets = append(n.sockets, connections.Limit(socket))
	}
	if n.cfg.MTLS == nil || n.cfg.MTLS.Listen.Addr == "" {
		return nil
	}
	socket, cert, err := n.open("mtls.listen", "mtls.listen", n.cfg.MTLS.Listen)
	if err != nil {
		return err
	}
	n.mtlsSocket = tls.NewListener(connections.Limit(socket), web.AskCertificates(cert.TLSConfig()))
	return nil
}

// open opens the socket of a listener and reads its certificate, nil when it has
// none. Errors name the member and are told where path leads to.
func (n *Node) open(member, path string, l Listener) (net.Listener, *web.Certificate, error) {
	files, pair := l.TLS, path+".tls"
	if files == nil {
		files, pair = n.cfg.TLS, "tls"
	}
	var cert *web.Certificate
	var err error
	if files != nil {
		if cert, err = web.LoadCertificate(files.Cert, files.Key, n.cfg.Now, n.cfg.Logger); err != nil {
			err = fmt.Errorf("%s: %s: tls: %w; cert and key are PEM files of one pair", member, l.Addr, err)
			return nil, nil, n.cfg.Origins.Place(pair+"."+files.blames(err), err)
		}
	}
	if l.Socket != nil {
		return l.Socket, cert, nil
	}
	socket, err := net.Listen("tcp", l.Addr)
	if err != nil {
		return nil, nil, n.cfg.Origins.Place(path+".addr", cannotListen(member, l.Addr, err))
	}
	return socket, cert, nil
}

// blames is the member whose file err is about: the certificate, unless it is
// the key that cannot be read.
func (f *TLSFiles) blames(err error) string {
	var unread *fs.PathError
	if errors.As(err, &unread) && unread.Path == f.Key && f.Key != f.Cert {
		return "key"
	}
	return "cert"
}

// cannotListen tells what to do about an address that cannot be listened on.
func cannotListen(member, addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: %s is in use by another program, which listens there; stop that one, or choose another address%s", member, addr, whereToChange(member))
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: %s may not be opened by this user; take a port above 1023, or give the program the capability CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities)", member, addr)
	}
	return fmt.Errorf("%s: %w; write host:port, with an address of this machine and a port of 65535 at most", member, err)
}

// whereToChange tells where the address of a listener stands, for who knows only
// the command line.
func whereToChange(member string) string {
	flag, url := "", "mtls.url"
	if member == "listen" {
		flag, url = "--listen, ", "url"
	}
	return fmt.Sprintf(" (%sSYMBOLON_%s, or %s in the file that --config names), and change %s if it names the port",
		flag, strings.ToUpper(strings.ReplaceAll(member, ".", "_")), member, url)
}

// serve answers on all sockets until ctx ends, then lets requests in flight
// finish.
func (n *Node) serve(ctx context.Context) error {
	public, mutual := n.server(n.handler), n.server(n.mtlsHandler)
	local := n.adminServer()
	failed := make(chan error, len(n.sockets)+2)
	for _, socket := range n.sockets {
		n.cfg.Logger.Info("listening", "addr", socket.Addr().String())
		go func() { failed <- public.Serve(socket) }()
	}
	if n.mtlsSocket != nil {
		n.cfg.Logger.Info("listening for clients with certificates", "addr", n.mtlsSocket.Addr().String())
		go func() { failed <- mutual.Serve(n.mtlsSocket) }()
	}
	go func() { failed <- local.Serve(n.adminSocket) }()

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	n.draining.Store(true)
	n.oauth.Drain()
	graceful, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	return errors.Join(err, closeServer(graceful, public), closeServer(graceful, mutual), closeServer(graceful, local))
}

func (n *Node) server(handler http.Handler) *http.Server {
	if n.cfg.Around != nil {
		handler = n.cfg.Around(handler)
	}
	s := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(n.cfg.Logger.Handler(), slog.LevelDebug)}
	web.Limit(s)
	return s
}

// closeServer lets requests finish, and cuts those that do not.
func closeServer(ctx context.Context, s *http.Server) error {
	if err := s.Shutdown(ctx); err != nil {
		return s.Close()
	}
	return nil
}
