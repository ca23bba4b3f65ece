package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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
	for _, l := range n.cfg.Listen {
		socket, err := net.Listen("tcp", l.Addr)
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("listen: %s is in use by another program; stop that one or choose another address", l.Addr)
		}
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		socket = connections.Limit(socket)
		n.sockets = append(n.sockets, socket)
		files := l.TLS
		if files == nil {
			files = n.cfg.TLS
		}
		if files == nil {
			continue
		}
		cert, err := loadCertificate(*files, n.cfg.Now, n.cfg.Logger)
		if err != nil {
			return fmt.Errorf("listen: %s: tls: %w; cert and key are PEM files of one pair", l.Addr, err)
		}
		n.sockets[len(n.sockets)-1] = tls.NewListener(socket, cert.tlsConfig())
	}
	for _, socket := range n.cfg.Sockets {
		n.sockets = append(n.sockets, connections.Limit(socket))
	}
	return nil
}

// serve answers on all sockets until ctx ends, then lets requests in flight
// finish.
func (n *Node) serve(ctx context.Context) error {
	public := &http.Server{Handler: n.handler, ErrorLog: slog.NewLogLogger(n.cfg.Logger.Handler(), slog.LevelDebug)}
	web.Limit(public)
	local := n.adminServer()
	failed := make(chan error, len(n.sockets)+1)
	for _, socket := range n.sockets {
		n.cfg.Logger.Info("listening", "addr", socket.Addr().String())
		go func() { failed <- public.Serve(socket) }()
	}
	go func() { failed <- local.Serve(n.adminSocket) }()

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	n.draining.Store(true)
	graceful, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	return errors.Join(err, closeServer(graceful, public), closeServer(graceful, local))
}

// closeServer lets requests finish, and cuts those that do not.
func closeServer(ctx context.Context, s *http.Server) error {
	if err := s.Shutdown(ctx); err != nil {
		return s.Close()
	}
	return nil
}
