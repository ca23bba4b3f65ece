package guard

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/symbolon/symbolon/resource"
)

// renewed is the nonce that a caller should use from now on; empty when there
// are none here, or its proof has the newest (RFC 9449 §8.2).
func (g *Guard) renewed(proofs []string, caller *resource.Caller) string {
	cnf := caller.Claims.Confirmation
	if cnf == nil || cnf.JKT == "" || len(proofs) != 1 {
		return ""
	}
	nonce := g.api.DPoPNonce()
	if nonce == "" || nonce == nonceIn(proofs[0]) {
		return ""
	}
	return nonce
}

// nonceIn is the nonce of a proof that was checked.
func nonceIn(proof string) string {
	parts := strings.SplitN(proof, ".", 3)
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Nonce string `json:"nonce"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Nonce
}
