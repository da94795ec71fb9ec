package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"modwsgi/module/apachetest"
)

// A document is a page of the documentation.
type document struct {
	name   string // relative to the repository
	source []byte
	root   ast.Node
}

// A block of code on a page. hint is what the comment before it says: <!-- check: hint -->.
type block struct {
	language, text string
	line           int
	hint           []string
}

// readPages finds every page of the repository.
func readPages(t *testing.T) []document {
	t.Helper()
	root := apachetest.RepositoryRoot()
	var pages []document
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() && (name == "build" || strings.HasPrefix(name, ".git")) {
			return fs.SkipDir
		}
		if filepath.Ext(name) != ".md" {
			return nil
		}
		source, err := os.ReadFile(path)
		pages = append(pages, document{name, source, goldmark.DefaultParser().Parse(text.NewReader(source))})
		return err
	})
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	return pages
}

// visit calls a function for every node of the page.
func (p document) visit(see func(ast.Node)) {
	_ = ast.Walk(p.root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			see(n)
		}
		return ast.WalkContinue, nil
	})
}

// blocks are all the page's blocks in their order. An indented one has no language.
func (p document) blocks() []block {
	var blocks []block
	p.visit(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.FencedCodeBlock:
			blocks = append(blocks, p.block(n, string(n.Language(p.source))))
		case *ast.CodeBlock:
			blocks = append(blocks, p.block(n, ""))
		}
	})
	return blocks
}

var hintComment = regexp.MustCompile(`^<!-- check: (.*) -->\s*$`)

func (p document) block(n ast.Node, language string) block {
	b := block{language: language, text: string(n.Lines().Value(p.source))}
	if n.Lines().Len() > 0 {
		b.line = 1 + strings.Count(string(p.source[:n.Lines().At(0).Start]), "\n")
	}
	if comment, ok := n.PreviousSibling().(*ast.HTMLBlock); ok {
		if found := hintComment.FindStringSubmatch(string(comment.Lines().Value(p.source))); found != nil {
			b.hint = strings.Fields(found[1])
		}
	}
	return b
}

// action is the hint's first word.
func (b block) action() string {
	if len(b.hint) == 0 {
		return ""
	}
	return b.hint[0]
}

// argument is a further word of the hint, "" if there is none.
func (b block) argument(i int) string {
	if i >= len(b.hint) {
		return ""
	}
	return b.hint[i]
}

// option is the value of a word NAME=VALUE of the hint.
func (b block) option(name string) string {
	for _, word := range b.hint {
		if value, ok := strings.CutPrefix(word, name+"="); ok {
			return value
		}
	}
	return ""
}

// spanText is what a code span has between its quotation marks.
func (p document) spanText(n *ast.CodeSpan) string {
	var b strings.Builder
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if piece, ok := child.(*ast.Text); ok {
			b.Write(piece.Segment.Value(p.source))
		}
	}
	return b.String()
}
