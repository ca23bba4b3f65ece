package node

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/symbolon/symbolon/internal/adminapi"
	"github.com/symbolon/symbolon/internal/web"
)

// openSocket opens the administration's socket in the data directory.
func (n *Node) openSocket(context.Context) (err error) {
	n.adminSocket, err = adminapi.Listen(SocketPath(n.cfg.DataDir))
	return err
}

// adminServer answers on the administration's socket. An operation may wait for
// the store, and a stream of records has no end: its answers have no time limit,
// since whoever is there may do everything anyway.
func (n *Node) adminServer() *http.Server {
	s := &http.Server{
		Handler:     adminapi.New(adminapi.Config{Admin: n.admin, Logger: n.cfg.Logger, Now: n.cfg.Now}),
		ConnContext: adminapi.PeerContext,
		ErrorLog:    slog.NewLogLogger(n.cfg.Logger.Handler(), slog.LevelDebug),
	}
	web.Limit(s)
	s.WriteTimeout, s.ReadTimeout = 0, time.Minute
	return s
}
