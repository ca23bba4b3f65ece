package symbolon_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// normative counts, by section, the sentences of each text that have MUST,
// REQUIRED, SHALL or SHOULD, or NOT of them, in capitals (RFC 2119). A sentence
// ends at its full stop, also where semicolons divide it; each item of a list is
// one of its own. The paragraphs that define the key words are left out. Of
// RFC 6749 only what a server and a client of client_credentials meet is
// counted: §2.3, §3.2, §4.4 and §5. Of RFC 9449 what a client, an API and a token
// endpoint meet; the one MUST of its §4.3 stands before a list, whose steps count.
// FAPI 2.0 Security Profile writes its words in small letters; what is about an
// authorization endpoint (§5.3.2.2, §5.3.2.3, §5.3.3.2) is not counted.
var normative = map[string]string{
	"FAPI 2.0": "5.2.1:5 5.2.2:2 5.2.2.1:2 5.2.3:3 5.3.2.1:13 5.3.3.1:14 5.3.4:5 5.4.1:6 5.4.2:3 5.4.3:3",
	"RFC 6749": "2.3:2 2.3.1:7 2.3.2:1 3.2:7 3.2.1:2 4.4:1 4.4.2:4 4.4.3:1 5.1:7 5.2:5",
	"RFC 6750": "2:1 2.1:2 2.2:5 2.3:4 3:10 3.1:4 5.2:12 5.3:9",
	"RFC 7009": "2:6 2.1:3 5:3",
	"RFC 7515": "2:1 3.2:1 4:4 4.1.1:1 4.1.2:2 4.1.4:1 4.1.5:3 4.1.6:2 4.1.9:2 4.1.10:2 4.1.11:5 5.1:1 5.2:5 5.3:1 6:2 7.2.1:8 7.2.2:1 8:3 9.2.1:1 10.6:1 10.12:4 10.13:1",
	"RFC 7517": "2:1 4:2 4.1:1 4.3:4 4.5:1 4.6:6 4.7:3 4.8:2 4.9:2 5:4 7:3 8.5.1:2 9.2:1",
	"RFC 7519": "2:1 4:2 4.1.2:1 4.1.3:2 4.1.4:3 4.1.5:3 4.1.6:1 4.1.7:1 5.2:2 5.3:1 7.1:3 7.2:2 7.3:1 8:2 12:1",
	"RFC 7521": "3:1 4:1 4.1:5 4.1.1:1 4.2:3 4.2.1:1 5.1:5 5.2:9",
	"RFC 7523": "2.1:1 2.2:1 3:14 3.1:2 3.2:1",
	"RFC 7638": "3.3:4",
	"RFC 7662": "2:1 2.1:4 2.2:4 2.3:1 3.1.1:2 4:12 5:1",
	"RFC 8414": "2:16 2.1:3 3:4 3.1:2 3.2:2 3.3:2 4:3 6.1:4 6.2:2",
	"RFC 8705": "2:3 2.1.2:1 3:3 3.1:2 4:1 5:2 7.4:1 7.5:1",
	"RFC 8707": "2:6",
	"RFC 8725": "2.8:1 3.1:3 3.2:7 3.3:2 3.4:1 3.5:2 3.6:1 3.7:1 3.8:4 3.9:2 3.10:1 3.11:2 3.12:1",
	"RFC 9068": "2.1:5 2.2:9 2.2.2:1 2.2.3:2 2.2.3.1:2 3:5 4:15 5:1 6:1",
	"RFC 9440": "2.2:2 2.3:2 2.4:6 3.3:1 4:4",
	"RFC 9449": "4.2:8 4.3:13 5:7 5.2:1 6:2 6.1:1 7:2 7.1:6 7.2:3 8:3 8.2:1 11.1:1 11.3:1 11.6:2",
	"RFC 9701": "3:4 4:1 5:10 6:1 7:1 8.1:2 8.2:2 9:5",
	"RFC 9728": "1.2:1 2:4 2.1:2 2.2:3 3:3 3.1:2 3.2:3 3.3:6 5.2:1 6:3 7.1:2 7.2:1 7.3:2 7.4:1 7.7:1",
}

// clause is one row of docs/rfc.md: what one sentence demands, where it is
// met, and which test shows it; or why it does not apply.
type clause struct {
	rfc, section, words string
	line                int
	proof               string
}

var (
	rfcHeading  = regexp.MustCompile(`^## (RFC \d+|FAPI 2\.0)\b`)
	rfcRow      = regexp.MustCompile(`^\| §([0-9A-Z.]+) \| ([A-Z, ]+) \| ([^|]+) \| ([^|]+) \|$`)
	keyWords    = regexp.MustCompile(`^(?:MUST|MUST NOT|REQUIRED|SHALL|SHALL NOT|SHOULD|SHOULD NOT|NOT RECOMMENDED)(?:, (?:MUST|MUST NOT|REQUIRED|SHALL|SHALL NOT|SHOULD|SHOULD NOT|NOT RECOMMENDED))*$`)
	shownRow    = regexp.MustCompile("^(`[^`]+`(?:, `[^`]+`)*): (`[^`]+`(?:, `[^`]+`)*)(?:; (.+))?$")
	reasonRow   = regexp.MustCompile("^reason: (.{10,})$")
	quotedText  = regexp.MustCompile("`([^`]+)`")
	cited       = regexp.MustCompile(`RFC \d+|FAPI 2\.0|§[0-9A-Z]+(?:\.[0-9]+)*`)
	testName    = regexp.MustCompile(`^((?:Test|Fuzz)[A-Za-z0-9_]+)(?:/(.+))?$`)
	declaration = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
)

// readClauses reads the tables, and says which lines are nearly rows.
func readClauses(text string) (rows []clause, problems []string) {
	var rfc string
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "## ") {
			rfc = ""
		}
		if m := rfcHeading.FindStringSubmatch(line); m != nil {
			rfc = m[1]
		} else if m := rfcRow.FindStringSubmatch(line); m != nil && keyWords.MatchString(m[2]) {
			rows = append(rows, clause{rfc, m[1], m[2], i + 1, m[4]})
		} else if strings.HasPrefix(line, "| §") {
			problems = append(problems, fmt.Sprintf("line %d: not a row of the form | §n | WORD | demand | test or reason |", i+1))
		}
	}
	return rows, problems
}

// sources are the test functions of a module, nested modules included: by
// directory and name, the text of the file that declares them.
type sources struct {
	root  fs.FS
	tests map[string]map[string]string
}

func readSources(root fs.FS) (*sources, error) {
	s := &sources{root: root, tests: make(map[string]map[string]string)}
	return s, fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := path.Base(name); entry.IsDir() && name != "." && (base[0] == '.' || base == "testdata" || base == "node_modules") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if s.tests[dir] == nil {
			s.tests[dir] = make(map[string]string)
		}
		for _, m := range declaration.FindAllSubmatch(text, -1) {
			s.tests[dir][string(m[1])] = string(text)
		}
		return nil
	})
}

// checkTable says everything that is wrong with docs/rfc.md: rows of another
// form, tests and files that are not there, divergences that are not explained,
// and sections with more or fewer rows than they have normative sentences.
func checkTable(text string, s *sources, counts map[string]string) []string {
	rows, problems := readClauses(text)
	explained := divergences(text)
	found := make(map[string]int)
	for _, c := range rows {
		at := c.rfc + " §" + c.section
		found[at]++
		for _, p := range s.checkProof(c.proof) {
			problems = append(problems, fmt.Sprintf("line %d: %s", c.line, p))
		}
		if strings.Contains(c.proof, "divergence") && !explained[at] {
			problems = append(problems, fmt.Sprintf("line %d: the section Divergences does not name %s", c.line, at))
		}
	}
	for _, rfc := range slices.Sorted(maps.Keys(counts)) {
		for _, entry := range strings.Fields(counts[rfc]) {
			section, count, _ := strings.Cut(entry, ":")
			at := rfc + " §" + section
			if want, err := strconv.Atoi(count); err != nil || found[at] != want {
				problems = append(problems, fmt.Sprintf("%s has %s normative sentences and %d rows", at, count, found[at]))
			}
			delete(found, at)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(found)) {
		problems = append(problems, fmt.Sprintf("%s has no normative sentences and %d rows", at, found[at]))
	}
	return problems
}

// divergences are the clauses that the section of that name cites.
func divergences(text string) map[string]bool {
	_, text, _ = strings.Cut(text, "\n## Divergences\n")
	text, _, _ = strings.Cut(text, "\n## ")
	clauses := make(map[string]bool)
	rfc := ""
	for _, word := range cited.FindAllString(text, -1) {
		if !strings.HasPrefix(word, "§") {
			rfc = word
		} else {
			clauses[rfc+" "+word] = true
		}
	}
	return clauses
}

// checkProof judges the last column: files and tests that are there, each test
// in the directory of one of the files, each case of a test written in its
// file; or a reason, in which tests may be named too.
func (s *sources) checkProof(proof string) (problems []string) {
	if m := reasonRow.FindStringSubmatch(proof); m != nil {
		for _, q := range quotedText.FindAllStringSubmatch(m[1], -1) {
			if testName.MatchString(q[1]) {
				problems = append(problems, s.checkTest(q[1], slices.Collect(maps.Keys(s.tests)))...)
			}
		}
		return problems
	}
	m := shownRow.FindStringSubmatch(proof)
	if m == nil {
		return []string{"neither a test nor a reason: write `file.go`: `TestName`, or reason: …"}
	}
	var dirs []string
	for _, q := range quotedText.FindAllStringSubmatch(m[1], -1) {
		if info, err := fs.Stat(s.root, q[1]); err != nil || info.IsDir() || !strings.HasSuffix(q[1], ".go") {
			problems = append(problems, "there is no source file "+q[1])
		}
		dirs = append(dirs, path.Dir(q[1]))
	}
	for _, q := range quotedText.FindAllStringSubmatch(m[2], -1) {
		problems = append(problems, s.checkTest(q[1], dirs)...)
	}
	return problems
}

// checkTest judges TestName or TestName/case.
func (s *sources) checkTest(name string, dirs []string) []string {
	m := testName.FindStringSubmatch(name)
	if m == nil {
		return []string{name + " is not the name of a test"}
	}
	declared := false
	for _, dir := range dirs {
		text, ok := s.tests[dir][m[1]]
		declared = declared || ok
		if ok && (m[2] == "" || strings.Contains(text, strconv.Quote(m[2]))) {
			return nil
		}
	}
	if declared {
		return []string{fmt.Sprintf("the file of %s has no case %q", m[1], m[2])}
	}
	return []string{fmt.Sprintf("there is no %s beside the files that are named", m[1])}
}

// TestEveryNormativeSentenceHasARow: as many rows for a section as the text has
// normative sentences there, each with a test that exists or with a reason.
func TestEveryNormativeSentenceHasARow(t *testing.T) {
	text, err := os.ReadFile("docs/rfc.md")
	if err != nil {
		t.Fatal(err)
	}
	s, err := readSources(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range checkTable(string(text), s, normative) {
		t.Errorf("docs/rfc.md: %s", p)
	}
}
