package node

import "net/http"

// adminServer answers on the administration's socket.
func (n *Node) adminServer() *http.Server {
	return &http.Server{}
}
