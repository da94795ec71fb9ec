package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// What the pages list is what there is.

func readRepositoryFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(apachetest.RepositoryRoot(), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// submatches are what the first group of a pattern finds, sorted, each once.
func submatches(pattern, text string) []string {
	var found []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Names, functions, classes and the keys of dicts: the stubs are held to the modules by another test.
func TestPageOfTheAPINamesWhatTheStubsHave(t *testing.T) {
	t.Parallel()
	api := readRepositoryFile(t, "docs/api.md")
	code := strings.Join(submatches("`([^`\n]+)`", api), " ")
	names := append(submatches(`(?m)^ *(?:def |class )?([a-z]\w+)(?:: |\()`, readRepositoryFile(t, "interp/stubs/mod_wsgi.pyi")),
		submatches(`(?m)^(\w+): `, readRepositoryFile(t, "interp/stubs/apache.pyi"))...)
	names = slices.DeleteFunc(names, func(name string) bool { return name == "read" }) // of what a FileWrapper is given
	if len(names) < 100 {
		t.Errorf("only %d names in the stubs", len(names))
	}
	for _, name := range append(names, "FileWrapper", "LogHandler", "RequestTimeout") {
		for _, ending := range []string{"_min_us", "_max_us", "_time_buckets"} { // the page says it once for all phases
			if phase, ok := strings.CutSuffix(name, ending); ok {
				name = strings.TrimSuffix(phase, "_time") + "_time"
			}
		}
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(code) {
			t.Errorf("docs/api.md does not name %s", name)
		}
	}
}

func TestPageOfTheAPINamesEveryReasonToStop(t *testing.T) {
	t.Parallel()
	api := readRepositoryFile(t, "docs/api.md")
	reasons := submatches(`Reason = "(\w+)"`, readRepositoryFile(t, "daemon/life/reason.go"))
	if len(reasons) < 10 {
		t.Errorf("only %d reasons", len(reasons))
	}
	for _, reason := range reasons {
		if !strings.Contains(api, "`"+reason+"`") {
			t.Errorf("docs/api.md does not name the reason %s", reason)
		}
	}
}

func TestPictureOfTheLimitsHasThoseOfItsPage(t *testing.T) {
	t.Parallel()
	page := submatches("`([a-z-]+)=`", strings.Join(regexp.MustCompile(`(?m)^\| .*$`).FindAllString(readRepositoryFile(t, "docs/limits.md"), -1), "\n"))
	picture := slices.DeleteFunc(submatches(`class="limit"[^>]*>([^<]+)<`, readRepositoryFile(t, "docs/limits.svg")), func(name string) bool {
		return name[0] < 'a' // Apache's
	})
	if !slices.Equal(page, picture) {
		t.Errorf("the page has the limits\n%v\nand the picture\n%v", page, picture)
	}
}

// tableCells are the cells of the rows that begin with a name in quotation marks.
func tableCells(page string) map[string][]string {
	rows := map[string][]string{}
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		for _, name := range regexp.MustCompile("`([a-z-]+=)`").FindAllStringSubmatch(cells[0], -1) {
			rows[name[1]] = cells
		}
	}
	return rows
}

func TestDefaultsOfTheLimitsAreThoseOfTheDirective(t *testing.T) {
	t.Parallel()
	number := regexp.MustCompile(`^\d+(?: \(\d+\))?`)
	options := tableCells(readRepositoryFile(t, "docs/directives.md"))
	compared := 0
	for name, cells := range tableCells(readRepositoryFile(t, "docs/limits.md")) {
		option := options[name]
		if option == nil {
			t.Errorf("docs/limits.md has a limit %s, which is no option", name)
			continue
		}
		want, got := number.FindString(option[2]), number.FindString(cells[1])
		if want == "" {
			continue // the system's
		}
		if inner := strings.Trim(strings.TrimPrefix(want, "0 "), "()"); inner != "0" {
			want = inner // "0 (32768)": 0 stands for that
		}
		if compared++; got != want {
			t.Errorf("docs/limits.md says that %s is %s by default, the directive that it is %s", name, got, want)
		}
	}
	if compared < 20 {
		t.Errorf("only %d defaults were compared", compared)
	}
}
