package symbolon_test

import (
	"testing"

	"github.com/symbolon/symbolon"
)

// TestRFC7519_4_1_TimesAreNumbers: exp, nbf and iat are NumericDates and
// nothing that looks like one.
func TestRFC7519_4_1_TimesAreNumbers(t *testing.T) {
	for _, name := range []string{"exp", "nbf", "iat"} {
		for value, good := range map[string]bool{
			"2000000000": true, "2000000000.5": true, "2e9": true, "0": true,
			`"2000000000"`: false, `""`: false, "null": false, "true": false, "[2000000000]": false, `{"s":2000000000}`: false,
			"-1": false, "1e400": false, "99999999999999999999": false,
		} {
			c, err := symbolon.ParseClaims([]byte(`{"` + name + `":` + value + `}`))
			if (err == nil) != good {
				t.Errorf("%s %s: %v", name, value, err)
			}
			if good && value != "0" && c.Expiry+c.NotBefore+c.IssuedAt != 2000000000 {
				t.Errorf("%s %s is read as %+v", name, value, c)
			}
		}
	}
}
