package configs

import (
	"os"
	"regexp"
	"testing"
)

var fence = regexp.MustCompile("(?m)^```yaml\n# (\\S+)\n((?s:.*?))^```$")

// block is the YAML block of docs/howto/others.md that is the file of this name.
func block(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../docs/howto/others.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fence.FindAllSubmatch(text, -1) {
		if string(m[1]) == name {
			return m[2]
		}
	}
	t.Fatalf("docs/howto/others.md has no block %s", name)
	return nil
}
