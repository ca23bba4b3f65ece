package symbolon_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"
)

var (
	inlineCode  = regexp.MustCompile("`[^`]*`")
	inlineLink  = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)`)
	definedLink = regexp.MustCompile(`^ {0,3}\[[^\]]+\]:\s*<?([^\s>]+)>?`)
	heading     = regexp.MustCompile(`^ {0,3}#{1,6}\s+(.*?)\s*#*\s*$`)
	elsewhere   = regexp.MustCompile(`^(?:[a-zA-Z][a-zA-Z0-9+.-]*:|//)`)
)

// page is a Markdown file: where its links lead, line by line, and the anchors
// of its headings.
type page struct {
	links   []pageLink
	anchors map[string]bool
}

type pageLink struct {
	line   int
	target string
}

// readPage leaves out what stands in code: it is shown, not linked.
func readPage(text string) page {
	p := page{anchors: make(map[string]bool)}
	fenced := ""
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimLeft(line, " ")
		if fenced != "" || strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~") {
			switch {
			case fenced == "":
				fenced = trimmed[:3]
			case strings.HasPrefix(trimmed, fenced):
				fenced = ""
			}
			continue
		}
		if m := heading.FindStringSubmatch(line); m != nil {
			p.addAnchor(m[1])
		}
		line = inlineCode.ReplaceAllString(line, "")
		for _, m := range append(inlineLink.FindAllStringSubmatch(line, -1), definedLink.FindAllStringSubmatch(line, -1)...) {
			p.links = append(p.links, pageLink{i + 1, m[1]})
		}
	}
	return p
}

// addAnchor names a heading as GitHub does: the words of a link, in lower case,
// hyphens for spaces, no punctuation; a second one of that name gets a number.
func (p *page) addAnchor(words string) {
	words = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(words, "$1")
	name := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
			return unicode.ToLower(r)
		}
		return -1
	}, words)
	unique := name
	for n := 1; p.anchors[unique]; n++ {
		unique = fmt.Sprintf("%s-%d", name, n)
	}
	p.anchors[unique] = true
}

// brokenLinks says of every relative link in the Markdown files below root
// whether it leads to nothing, and how many links there are.
func brokenLinks(root fs.FS) (problems []string, count int, err error) {
	pages := make(map[string]page)
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := path.Base(name); entry.IsDir() && name != "." && (base[0] == '.' || base == "testdata" || base == "node_modules") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".md") {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		pages[name] = readPage(string(text))
		return err
	})
	for name, p := range pages {
		for _, l := range p.links {
			if elsewhere.MatchString(l.target) {
				continue
			}
			count++
			if problem := checkLink(root, pages, name, l.target); problem != "" {
				problems = append(problems, fmt.Sprintf("%s:%d: %s: %s", name, l.line, l.target, problem))
			}
		}
	}
	return problems, count, err
}

func checkLink(root fs.FS, pages map[string]page, from, target string) string {
	file, anchor, anchored := strings.Cut(target, "#")
	to := from
	if file != "" {
		to = path.Join(path.Dir(from), file)
		if !fs.ValidPath(to) {
			return "it leads out of the repository"
		}
		if _, err := fs.Stat(root, to); err != nil {
			return "there is no such file"
		}
	}
	if !anchored {
		return ""
	}
	p, ok := pages[to]
	if !ok {
		return "an anchor of what is no page"
	}
	if !p.anchors[anchor] {
		return "the page has no heading of that name"
	}
	return ""
}

// TestLinksOfTheDocumentationLeadSomewhere: every relative link of every page.
func TestLinksOfTheDocumentationLeadSomewhere(t *testing.T) {
	problems, count, err := brokenLinks(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	if count < 5 {
		t.Errorf("only %d links found: has their form changed?", count)
	}
}

// TestLinksSeeBadOnes shows that each rule can fail.
func TestLinksSeeBadOnes(t *testing.T) {
	files := func(readme string) fstest.MapFS {
		return fstest.MapFS{
			"README.md":        {Data: []byte(readme)},
			"LICENSE":          {Data: []byte("# x\n")},
			"docs/a.md":        {Data: []byte("# One, `two` & 3: the [End](sub/b.md)\n\n## Same\n\n## Same\n\n```sh\n# not a heading\n```\n[b](sub/b.md#top) [up](../README.md)\n")},
			"docs/sub/b.md":    {Data: []byte("# Top\n")},
			"testdata/bad.md":  {Data: []byte("[x](nowhere)\n")},
			".hidden/other.md": {Data: []byte("[x](nowhere)\n")},
		}
	}
	for link, want := range map[string]string{
		"[x](docs/a.md)":                     "",
		"[x](docs/)":                         "",
		"[x](LICENSE)":                       "",
		"[x](./docs/a.md \"title\")":         "",
		"[x](<docs/a.md>)":                   "",
		"[x](docs/a.md#one-two--3-the-end)":  "",
		"[x](docs/a.md#same-1)":              "",
		"# Here\n[x](#here)":                 "",
		"[x](https://example.com/none#x)":    "",
		"[x](mailto:a@example.com)":          "",
		"`[x](nowhere)`":                     "",
		"```\n[x](nowhere)\n```":             "",
		"~~~\n```\n[x](nowhere)\n~~~":        "",
		"[x](docs/b.md)":                     "no such file",
		"![x](docs/a.png)":                   "no such file",
		"[x]: docs/b.md":                     "no such file",
		"[a](LICENSE) [x](docs/b.md)":        "no such file",
		"[x](docs/a.md#same-2)":              "no heading",
		"[x](docs/a.md#not-a-heading)":       "no heading",
		"[x](docs/a.md#One-two--3-the-end)":  "no heading",
		"[x](#there)":                        "no heading",
		"[x](LICENSE#x)":                     "no page",
		"[x](../other.md)":                   "out of the repository",
		"[x](/etc/passwd)":                   "no such file",
		"```\ncode\n```\n[x](nowhere)":       "no such file",
		"[x](docs/a.md#)":                    "no heading",
		"text [x](nowhere \"with a title\")": "no such file",
	} {
		problems, _, err := brokenLinks(files(link))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(problems, "\n"); want == "" && got != "" || want != "" && !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", link, got, want)
		}
	}
}
