package apachetest

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// Difference is one row of docs/differences.md: something in which we differ from the oracle on purpose, or because a
// later release does.
type Difference struct {
	ID      string
	Subject string // glob: status, reason, header:NAME, environ:KEY, body, log, framing, ending, interim
	Cases   string // globs over case names, "*" also matches "/"; "daemon:" or "embedded:" before one limits it to that mode
	Classic string // what the oracle has ("4.9.4: ..." if only that release has it); text in backticks must match (a glob, or "absent"), other words are for readers
	Ours    string
	Reason  string

	used bool
}

// Differences is the whole list. It remembers which rows have been needed.
type Differences struct {
	mu   sync.Mutex // guards used in rows
	rows []*Difference
}

// differencesFile is where the list lives, below the repository's root.
const differencesFile = "docs/differences.md"

// LoadDifferences reads the list from the repository, without the rows that are about another release of the oracle.
func LoadDifferences() (*Differences, error) {
	text, err := os.ReadFile(filepath.Join(RepositoryRoot(), differencesFile))
	if err != nil {
		return nil, err
	}
	release, err := classicRelease()
	if err != nil {
		return nil, err
	}
	return parseDifferences(string(text), release)
}

// classicRelease is the oracle's: "4.9.4".
func classicRelease() (string, error) {
	version, err := exec.Command("dpkg-query", "--show", "--showformat", "${Version}", "libapache2-mod-wsgi-py3").Output()
	if err != nil {
		return "", fmt.Errorf("which release is the classic module? dpkg-query: %w", err)
	}
	release, _, _ := strings.Cut(string(version), "-")
	return release, nil
}

// ofRelease splits the release off a cell that begins with one: "4.9.4: what it does".
var ofRelease = regexp.MustCompile(`^(\d+\.\d+\.\d+): *(.*)$`)

// parseDifferences reads every table row whose first cell is an identifier "D" and a number, and which is about the release.
func parseDifferences(text, release string) (*Differences, error) {
	d := &Differences{}
	seen := map[string]bool{}
	for n, line := range strings.Split(text, "\n") {
		cells := splitRow(line)
		if len(cells) == 0 || !strings.HasPrefix(cells[0], "D") || !isNumber(cells[0][1:]) {
			continue
		}
		if len(cells) != 6 {
			return nil, fmt.Errorf("%s:%d: %d cells instead of 6", differencesFile, n+1, len(cells))
		}
		if seen[cells[0]] || cells[5] == "" {
			return nil, fmt.Errorf("%s:%d: %s is there twice, or has no reason", differencesFile, n+1, cells[0])
		}
		seen[cells[0]] = true
		if limited := ofRelease.FindStringSubmatch(cells[3]); limited != nil {
			if limited[1] != release {
				continue
			}
			cells[3] = limited[2]
		}
		d.rows = append(d.rows, &Difference{ID: cells[0], Subject: unquote(cells[1]), Cases: unquote(cells[2]),
			Classic: cells[3], Ours: cells[4], Reason: cells[5]})
	}
	return d, nil
}

func splitRow(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") || !strings.HasSuffix(line, "|") || len(line) < 2 {
		return nil
	}
	const escaped = "\x00"
	line = strings.ReplaceAll(line[1:len(line)-1], `\|`, escaped)
	cells := strings.Split(line, "|")
	for i := range cells {
		cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), escaped, "|")
	}
	return cells
}

func isNumber(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

func unquote(cell string) string { return strings.Trim(cell, "`") }

// Allows tells whether a difference is listed, and remembers that its row was needed.
func (d *Differences) Allows(found Found, caseName string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, row := range d.rows {
		if glob(row.Subject, found.Subject) && caseMatches(row.Cases, caseName) && cellMatches(row.Classic, found.Classic) && cellMatches(row.Ours, found.Ours) {
			row.used = true
			return true
		}
	}
	return false
}

// The modes that begin the name of a case, and may begin a pattern for it.
const (
	inDaemonMode   = "daemon:"
	inEmbeddedMode = "embedded:"
)

func caseMatches(patterns, caseName string) bool {
	for _, pattern := range strings.Split(patterns, ", ") {
		name := caseName
		if !strings.HasPrefix(pattern, inDaemonMode) && !strings.HasPrefix(pattern, inEmbeddedMode) {
			name = strings.TrimPrefix(strings.TrimPrefix(name, inDaemonMode), inEmbeddedMode)
		}
		if glob(pattern, name) {
			return true
		}
	}
	return false
}

// Unused lists the rows that no comparison has needed so far.
func (d *Differences) Unused() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []string
	for _, row := range d.rows {
		if !row.used {
			ids = append(ids, fmt.Sprintf("%s (%s in %s)", row.ID, row.Subject, row.Cases))
		}
	}
	return ids
}

// cellMatches holds a value against a cell of the table: only text in backticks is meant literally.
func cellMatches(cell, value string) bool {
	if len(cell) < 2 || cell[0] != '`' || cell[len(cell)-1] != '`' {
		return true
	}
	return glob(strings.Trim(cell, "`"), value)
}

// glob matches a name with "*" for any text, slashes included; alternatives are separated by ", ".
func glob(pattern, name string) bool {
	for _, one := range strings.Split(pattern, ", ") {
		// path.Match stops at slashes: hide them from it.
		hide := strings.NewReplacer("/", "\x01", "[", "\x02", "]", "\x03", "?", "\x04", `\`, "\x05")
		if ok, err := path.Match(hide.Replace(one), hide.Replace(name)); err == nil && ok {
			return true
		}
	}
	return false
}
