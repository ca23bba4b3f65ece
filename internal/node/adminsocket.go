package node

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/symbolon/symbolon/internal/adminapi"
	"github.com/symbolon/symbolon/internal/web"
)

// readApply is how long the longest request of administration, a declarative
// file, may take to arrive. How long its answer takes is not bounded: hashing
// imported secrets takes its time, and only the server's own user is there.
const readApply = time.Minute

// listenAdmin opens the socket of administration in the data directory.
func (n *Node) listenAdmin(context.Context) (err error) {
	n.adminSocket, err = adminapi.Listen(SocketPath(n.cfg.DataDir))
	return err
}

// adminServer answers on the administration's socket.
func (n *Node) adminServer() *http.Server {
	return &http.Server{
		Handler:           adminapi.New(adminapi.Config{Admin: n.admin, Logger: n.cfg.Logger, Now: n.cfg.Now}),
		ConnContext:       adminapi.PeerContext,
		ReadHeaderTimeout: web.HeaderTimeout,
		ReadTimeout:       readApply,
		IdleTimeout:       web.IdleTimeout,
		ErrorLog:          slog.NewLogLogger(n.cfg.Logger.Handler(), slog.LevelDebug),
	}
}
