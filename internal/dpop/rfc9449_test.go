package dpop

import (
	"testing"
	"time"

	"github.com/symbolon/symbolon/internal/jose"
)

// The examples of RFC 9449 §4.1 (also §5) and §7.1.
const (
	rfc9449Header     = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
	rfc9449TokenProof = rfc9449Header + ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	rfc9449APIProof   = rfc9449Header + ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	rfc9449Token      = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	rfc9449Thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	rfc9449TokenHash  = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
)

// TestRFC9449Examples: the proofs of the text are accepted at their time.
func TestRFC9449Examples(t *testing.T) {
	for _, c := range []struct {
		section, proof, method, url, token, id string
		at                                     int64
	}{
		{"§4.1, §5", rfc9449TokenProof, "POST", "https://server.example.com/token", "", "-BwC3ESc6acc2lTc", 1562262616},
		{"§7.1", rfc9449APIProof, "GET", "https://resource.example.org/protectedresource", rfc9449Token, "e1j3V_bKic8-LAEB", 1562262618},
	} {
		p, err := Check([]string{c.proof}, Expectation{
			Method: c.method, URLs: []string{c.url}, AccessToken: c.token, Now: time.Unix(c.at, 0),
		})
		if err != nil {
			t.Errorf("%s: %v", c.section, err)
			continue
		}
		if p.Thumbprint != rfc9449Thumbprint || p.ID != c.id || p.Nonce != "" || p.HTU != c.url ||
			p.Algorithm != jose.ES256 || p.IssuedAt.Unix() != c.at || p.key.Thumbprint() != rfc9449Thumbprint {
			t.Errorf("%s: %+v", c.section, p)
		}
	}
}

// TestRFC9449TokenHash is §4.2 with the values of §7.1.
func TestRFC9449TokenHash(t *testing.T) {
	if got := tokenHash(rfc9449Token); got != rfc9449TokenHash {
		t.Errorf("ath %s, want %s", got, rfc9449TokenHash)
	}
}
