package module

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"modwsgi/interp"
)

// docs/codes.md is written by hand; these tests hold it to the code.

const repository = ".."

// a codeRow of the page: the level, what the client gets.
type codeRow struct{ level, client string }

func readCodesPage(t *testing.T) map[int]codeRow {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "docs", "codes.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows, section, last := map[int]codeRow{}, "", 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "## ") {
			section, last = strings.TrimSpace(line[3:]), 0
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		code, err := strconv.Atoi(strings.TrimSpace(cells[0]))
		if err != nil || !strings.HasPrefix(line, "|") {
			continue
		}
		if _, twice := rows[code]; twice || code <= last || len(cells) != 5 {
			t.Errorf("%s: the row of %04d is there twice, not in its order, or has not five cells", section, code)
			continue
		}
		rows[code], last = codeRow{level: cells[1], client: cells[2]}, code
	}
	return rows
}

func TestPageOfCodesHasEveryCodeAndNoOther(t *testing.T) {
	page, code := readCodesPage(t), codesInSource(t)
	for n, where := range code {
		if _, ok := page[n]; !ok {
			t.Errorf("docs/codes.md has no row for %04d: %s", n, where)
		}
	}
	for n := range page {
		if _, ok := code[n]; !ok {
			t.Errorf("docs/codes.md has a row for %04d, which nothing reports", n)
		}
	}
	if len(code) < 100 {
		t.Errorf("only %d codes were found in the source", len(code))
	}
}

func TestPageOfCodesSaysWhatClientsGet(t *testing.T) {
	levels := []string{"alert", "crit", "error", "warn", "info"}
	for n, row := range readCodesPage(t) {
		for level := range strings.SplitSeq(row.level, ", ") {
			if !slices.Contains(levels, level) {
				t.Errorf("%04d: there is no level %q", n, level)
			}
		}
		for _, fault := range []*interp.Fault{Fault(n, "", ""), interp.Explain(n, "", "", "", true), interp.Explain(n, "", "", "", false)} {
			internal := strings.Contains(fault.Reason, "internal error")
			if status := strconv.Itoa(fault.Status); !internal && fault.Status != http.StatusInternalServerError && !strings.Contains(row.client, status) {
				t.Errorf("%04d: clients get %s, the page says %s", n, status, row.client)
			}
		}
	}
}

// ---- The codes that the source knows ----

// A sourceReader finds codes where our Go says which number one is: in what is called "code", whether a parameter, a field, a variable or a
// constant; and in all languages where a text has WSGI####.
type sourceReader struct {
	set    *token.FileSet
	files  []*ast.File
	takes  map[string]int // which parameter of a function, or field of a struct, is a code
	found  map[int]string // code: where
	spoken *regexp.Regexp
}

func codesInSource(t *testing.T) map[int]string {
	t.Helper()
	s := &sourceReader{set: token.NewFileSet(), takes: map[string]int{}, found: map[int]string{}, spoken: regexp.MustCompile(`WSGI(0\d{3})`)}
	for _, folder := range []string{"cmd", "daemon", "directives", "interp", "module"} {
		if err := filepath.WalkDir(filepath.Join(repository, folder), s.read); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range s.files {
		ast.Inspect(f, s.learn)
	}
	for _, f := range s.files {
		ast.Inspect(f, s.collect)
	}
	delete(s.found, 0) // none
	return maps.Clone(s.found)
}

// read parses a file of the product. Packages for tests have names in "test".
func (s *sourceReader) read(path string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if entry.IsDir() {
		if name := entry.Name(); name == "testdata" || name == "integration" || strings.HasSuffix(name, "test") {
			return fs.SkipDir
		}
		return nil
	}
	extension := filepath.Ext(path)
	if strings.HasSuffix(path, "_test.go") || !slices.Contains([]string{".go", ".c", ".h", ".py"}, extension) {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, match := range s.spoken.FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(match[1])
		s.found[n] = path
	}
	if extension != ".go" {
		return nil
	}
	file, err := parser.ParseFile(s.set, path, text, parser.SkipObjectResolution)
	s.files = append(s.files, file)
	return err
}

func isCode(name string) bool { return strings.EqualFold(name, "code") }

// position is the place of what is called "code" among fields or parameters, -1 if there is none.
func position(list *ast.FieldList) int {
	i := 0
	for _, field := range list.List {
		for _, name := range field.Names {
			if isCode(name.Name) {
				return i
			}
			i++
		}
		if len(field.Names) == 0 {
			i++
		}
	}
	return -1
}

// learn notes the functions and structs that have a code.
func (s *sourceReader) learn(n ast.Node) bool {
	note := func(name string, list *ast.FieldList) {
		if i := position(list); i >= 0 {
			s.takes[name] = i
		}
	}
	switch n := n.(type) {
	case *ast.FuncDecl:
		note(n.Name.Name, n.Type.Params)
	case *ast.TypeSpec:
		if structure, ok := n.Type.(*ast.StructType); ok {
			note(n.Name.Name, structure.Fields)
		}
	}
	return true
}

// collect notes the numbers that stand where a code is expected.
func (s *sourceReader) collect(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		if i, ok := s.takes[lastName(n.Fun)]; ok && i < len(n.Args) {
			s.add(n.Args[i])
		}
	case *ast.CompositeLit:
		s.collectLiteral(n)
	case *ast.SwitchStmt:
		if n.Tag != nil && isCode(lastName(n.Tag)) {
			for _, clause := range n.Body.List {
				s.add(clause.(*ast.CaseClause).List...)
			}
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if isCode(lastName(left)) && i < len(n.Rhs) {
				s.add(n.Rhs[i])
			}
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if i >= len(n.Values) {
				break
			}
			if strings.HasPrefix(name.Name, "code") {
				s.add(n.Values[i])
			}
			if table, ok := n.Values[i].(*ast.CompositeLit); ok && name.Name == "ownerReasons" {
				for _, element := range table.Elts {
					s.add(element.(*ast.KeyValueExpr).Key)
				}
			}
		}
	}
	return true
}

func (s *sourceReader) collectLiteral(n *ast.CompositeLit) {
	i, ok := s.takes[lastName(n.Type)]
	for at, element := range n.Elts {
		pair, named := element.(*ast.KeyValueExpr)
		if named && isCode(lastName(pair.Key)) {
			s.add(pair.Value)
		} else if !named && ok && at == i {
			s.add(element)
		}
	}
}

func (s *sourceReader) add(values ...ast.Expr) {
	for _, value := range values {
		if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.INT {
			n, _ := strconv.Atoi(literal.Value)
			s.found[n] = fmt.Sprint(s.set.Position(literal.Pos()))
		}
	}
}

// lastName is the name of what an expression denotes, without what it belongs to.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
