package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark/ast"

	"modwsgi/directives"
	"modwsgi/module/apachetest"
)

// What the text between the blocks names: directives, codes, links, commands.

var (
	directiveName = regexp.MustCompile(`\bWSGI[A-Z][A-Za-z0-9]+`)
	codeName      = regexp.MustCompile(`\bWSGI(0\d{3})\b`)
)

// notDirectives are names of the module that look like directives'.
var notDirectives = []string{"WSGIHandler", "WSGIServer"}

func TestPagesNameOnlyWhatThereIs(t *testing.T) {
	t.Parallel()
	codes, err := os.ReadFile(filepath.Join(apachetest.RepositoryRoot(), "docs", "codes.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range readPages(t) {
		for _, name := range directiveName.FindAllString(string(p.source), -1) {
			if directives.Find(name) < 0 && directives.Find("<"+name) < 0 && !slices.Contains(notDirectives, name) {
				t.Errorf("%s: there is no directive %s", p.name, name)
			}
		}
		for _, found := range codeName.FindAllStringSubmatch(string(p.source), -1) {
			if !strings.Contains(string(codes), "| "+found[1]+" |") {
				t.Errorf("%s: docs/codes.md does not explain %s", p.name, found[0])
			}
		}
		p.visit(func(n ast.Node) {
			switch n := n.(type) {
			case *ast.Link:
				checkLink(t, p, string(n.Destination))
			case *ast.Image:
				checkLink(t, p, string(n.Destination))
			case *ast.CodeSpan:
				checkSpan(t, p, p.spanText(n))
			}
		})
	}
}

// checkLink follows a link within the repository, to a heading too.
func checkLink(t *testing.T, p document, target string) {
	if strings.Contains(target, "://") {
		return
	}
	file, heading, _ := strings.Cut(target, "#")
	path := filepath.Join(apachetest.RepositoryRoot(), filepath.Dir(p.name), file)
	if file == "" {
		path = filepath.Join(apachetest.RepositoryRoot(), p.name)
	}
	text, err := os.ReadFile(path)
	if info, e := os.Stat(path); e == nil && info.IsDir() && heading == "" {
		return
	}
	if err != nil {
		t.Errorf("%s: the link %s leads nowhere", p.name, target)
		return
	}
	if heading != "" && !slices.Contains(anchors(string(text)), heading) {
		t.Errorf("%s: the link %s leads to no heading", p.name, target)
	}
}

var (
	writtenAnchor = regexp.MustCompile(`<a id="([^"]+)">`)
	headingLine   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInAnchor   = regexp.MustCompile(`[^\w\- ]`)
)

// anchors are what the headings of a page are called in links, as GitHub makes them.
func anchors(text string) []string {
	var names []string
	for _, found := range writtenAnchor.FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	for _, found := range headingLine.FindAllStringSubmatch(text, -1) {
		name := notInAnchor.ReplaceAllString(strings.ToLower(found[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// checkSpan looks at a command in the text.
func checkSpan(t *testing.T, p document, text string) {
	if arguments, ok := strings.CutPrefix(text, "make "); ok {
		if err := checkMake(strings.Fields(arguments)); err != nil {
			t.Errorf("%s: `%s`: %v", p.name, text, err)
		}
	}
}
